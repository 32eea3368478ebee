// SPDX-License-Identifier: GPL-3.0-or-later
/// What a study found: rows with their reference, a table of means over seeds, and the figure's numbers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/export/series_chart.h"
#include "core/reproduce/study_options.h"
#include "core/reproduce/study_row.h"

namespace natscope::reproduce {

/// Rows that differ in nothing but the seed.
struct StudyGroup {
  std::string series;  ///< "NAtS", "window, trained", …
  std::optional<double> lambda;
  std::string policy;  ///< of every seed: trained masks have a window each
  std::vector<int> seeds;
  Spread kv_fraction, paper_kv_fraction, perplexity;
  Spread ratio;                            ///< perplexity over that of full attention with the same seed
  std::optional<Spread> accuracy;          ///< share of right answers
  std::vector<AnswersAtDistance> answers;  ///< of all seeds together, without their nll
};

/// In the order of the rows. Rows whose seed has no full-attention row yet are left out.
[[nodiscard]] std::vector<StudyGroup> groups_of(const std::vector<StudyRow>& rows);

/// {study, rows: [row + full_perplexity (null while it is not known)]}.
[[nodiscard]] nlohmann::json results_json(const StudyOptions& options, const std::vector<StudyRow>& rows);

/// A table in Markdown: mean and, of several seeds, least to greatest; of the distance task also right answers by how
/// far back they stand, all seeds together.
[[nodiscard]] std::string results_table(const std::vector<StudyGroup>& groups);

/// Perplexity over that of full attention against the KV fraction, or for the distance task the share of right answers.
[[nodiscard]] SeriesChart results_chart(const StudyOptions& options, const std::vector<StudyGroup>& groups);

}  // namespace natscope::reproduce
