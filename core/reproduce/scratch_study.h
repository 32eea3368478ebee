// SPDX-License-Identifier: GPL-3.0-or-later
/// Trains and scores every model of a study, and goes on with what is there.
///
///     NATSCOPE_TRY(auto study, ScratchStudy::open(options, say, stop));
///     NATSCOPE_CHECK(study.run(listener, stop));        // hours; may be stopped and called again, also elsewhere
///     write_report(study.results(), options.out);        // study_report.h
///
/// The folder is as study_folder.h says, with
///   tokenizer.model         of all models, trained on the text
///   train.tokens            that text as tokens
///   text/                   the distance task's text
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/reproduce/study_folder.h"
#include "core/reproduce/study_options.h"
#include "core/reproduce/study_plan.h"
#include "core/reproduce/study_row.h"

namespace natscope::reproduce {

/// Which runs of the plan are done in the folder of `options`, which need not exist.
[[nodiscard]] std::vector<bool> runs_done(const StudyOptions& options);

class ScratchStudy {
 public:
  using Say = std::function<void(const std::string&)>;

  /// Makes or opens the folder, its vocabulary and its texts. Options as resolve() gives them.
  /// Errors: usage (the folder holds another study), bad_data, those of files, interrupted.
  [[nodiscard]] static Expected<ScratchStudy> open(StudyOptions options, const Say& say, const StopToken& stop);
  ScratchStudy(ScratchStudy&&) noexcept;
  ScratchStudy& operator=(ScratchStudy&&) noexcept;
  ~ScratchStudy();

  [[nodiscard]] const StudyOptions& options() const;
  /// Trainings that are not done.
  [[nodiscard]] std::size_t left() const;

  /// Does what is left and nobody else is at. Errors: those of training and scoring; interrupted.
  [[nodiscard]] Expected<void> run(const StudyListener& listener, const StopToken& stop);

  /// Rows of the runs that are done, in the order of the plan. Errors: bad_job (a damaged rows.json, named).
  [[nodiscard]] Expected<std::vector<StudyRow>> rows() const;

 private:
  struct State;
  explicit ScratchStudy(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace natscope::reproduce
