// SPDX-License-Identifier: GPL-3.0-or-later
/// The trainings of a study, in the order in which they are done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/cache/policy.h"
#include "core/reproduce/study_options.h"

namespace natscope::reproduce {

/// What a model was trained with.
enum class TrainedWith {
  full,           ///< full attention
  nats,           ///< learned roles, locals charged until the global that inference would choose
  nats_as_paper,  ///< learned roles, locals charged until the sampled global (the paper's rule)
  window,         ///< every token sliding
  streaming,      ///< sinks and a window
};
[[nodiscard]] const char* name(TrainedWith trained);

struct StudyRun {
  std::string key;  ///< names it in the folder and in rows: "nats-5e-09-seed0"
  TrainedWith trained = TrainedWith::full;
  std::optional<double> lambda;  ///< of learned roles; of a fixed mask, that of the run whose budget it has
  int seed = 0;
  std::string budget_of;  ///< the run whose measured KV fraction decides a mask's window; else empty
};

/// Seed after seed, so that what is done first is a whole smaller study: full attention; learned roles at every λ; the
/// two masks at the budget of each. At the end learned roles under the paper's rule, where λ is not 0 (there the rules
/// agree).
[[nodiscard]] std::vector<StudyRun> study_plan(const StudyOptions& options);

/// Budgets at which StreamingLLM and H2O are put on the full-attention model.
[[nodiscard]] std::vector<Policy> applied_baselines(std::int64_t context);

}  // namespace natscope::reproduce
