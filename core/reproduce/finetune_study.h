// SPDX-License-Identifier: GPL-3.0-or-later
/// Teaches an existing full-attention model its roles at several windows and λ, and asks what its cache then costs.
///
/// One run scores the model as it is, under full attention, StreamingLLM and H2O; one run for each window and λ trains
/// score layers alone and scores them; the last one puts the baselines on the budget of the cheapest adapter within
/// two percent. Besides perplexity: books are asked for pass keys by length and depth, the distance task for its marks
/// by distance. Folder: as study_folder.h says. Source: sections 9 and 11 of the rules.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/reproduce/passkey_grid.h"
#include "core/reproduce/study_folder.h"
#include "core/reproduce/study_options.h"
#include "core/reproduce/study_row.h"

namespace natscope::reproduce {

struct FinetuneStudyOptions {
  std::filesystem::path model;  ///< without score layers
  std::filesystem::path data;   ///< text to learn from
  std::filesystem::path test;   ///< text to score on
  std::filesystem::path out;
  StudyTask task = StudyTask::books;
  std::vector<int> windows{16, 32, 64};
  std::vector<double> lambdas{1e-7, 1e-6, 1e-5};  ///< added as they are
  std::int64_t steps = 300;                       ///< documents of the model's context each
  double passkey = 0.08;                          ///< share of documents with pass keys; books
  int passkey_keys = train::passkeys_by_default;  ///< keys of each of them, where it is learned and where it is asked
  std::int64_t test_tokens = 65'536;
  std::int64_t longest = 0;               ///< documents and segments, tokens; 0: the model's context, at most 1024
  int documents = 16;                     ///< with pass keys, of each length; books
  std::vector<std::int64_t> key_lengths;  ///< of those; empty: a quarter and a half of `longest`, and the whole
  int threads = 0;
};

/// Perplexity within this factor of full attention's counts as kept where the share of pass keys found is, too; where
/// marks are asked for, a share of right answers.
inline constexpr double kept_factor = 1.02;

/// Drops repeats of windows, λ and lengths. Errors: usage, naming the flag.
[[nodiscard]] Expected<FinetuneStudyOptions> resolve(FinetuneStudyOptions options);
[[nodiscard]] nlohmann::json study_json(const FinetuneStudyOptions& options);

/// Whether a row keeps what full attention has.
[[nodiscard]] bool is_kept(const StudyRow& row, const StudyRow& full);
/// The adapter whose cache is smallest while that is kept; where none keeps it, the one closest to it.
/// Nothing without adapters' rows.
[[nodiscard]] const StudyRow* cheapest_adapter(const std::vector<StudyRow>& rows);

/// What a study of these options would be, without beginning it: nothing is written. Those that its model decides are
/// filled in. Errors: those of FinetuneStudy::open().
struct FinetunePlan {
  FinetuneStudyOptions options;
  std::vector<PlannedRun> runs;

  [[nodiscard]] static Expected<FinetunePlan> make(FinetuneStudyOptions options);
};

class FinetuneStudy {
 public:
  /// Errors: usage (another study's folder), unsupported_model (one with score layers), bad_data, those of opening the
  /// model.
  [[nodiscard]] static Expected<FinetuneStudy> open(FinetuneStudyOptions options, const StopToken& stop);
  FinetuneStudy(FinetuneStudy&&) noexcept;
  FinetuneStudy& operator=(FinetuneStudy&&) noexcept;
  ~FinetuneStudy();

  [[nodiscard]] std::size_t left() const;

  /// As ScratchStudy::run. Errors also: bad_job (rows that the last run needs are damaged).
  [[nodiscard]] Expected<void> run(const StudyListener& listener, const StopToken& stop);
  [[nodiscard]] Expected<std::vector<StudyRow>> rows() const;

 private:
  struct State;
  explicit FinetuneStudy(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace natscope::reproduce
