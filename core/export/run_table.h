// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/explore/run_figures.h"
#include "core/export/figure_table.h"

namespace natscope {

/// A run as a row beside others.
struct RunRow {
  std::string name;    ///< its policy in words
  std::string policy;  ///< as parse_policy takes it, or the name of another program's method
  std::string model;
  bool is_set_by_hand = false;  ///< W or roles of it: `name` says which
  RunOutcome outcome;           ///< of its prompt
  /// Whether the prompt is the same as the first row's: elsewhere perplexities do not compare.
  bool is_same_text = true;
};

/// Of the prompt as the cache held it; nothing where it is not known, or where nothing was dropped before its end: such
/// a number beside what is held afterwards would be a free lunch.
[[nodiscard]] std::optional<double> perplexity_of(const RunRow& run);

/// The table of runs: run, policy, model, tokens, kv_fraction, mean_kv_fraction, paper_kv_fraction, perplexity,
/// perplexity_of_first (nothing for another text's).
[[nodiscard]] FigureTable run_table(std::span<const RunRow> runs);

/// {natscope_version, runs: [the same rows as objects]}: what a figure that is drawn from them says in its metadata.
[[nodiscard]] std::string run_provenance(std::span<const RunRow> runs);

}  // namespace natscope
