// SPDX-License-Identifier: GPL-3.0-or-later
/// The folder of a study: what is studied, and which of its runs are done.
///
///   study.json              what decides the numbers, with absolute paths; a folder with another one is refused
///   inputs.json             which texts (and model) those were, by their digests; others are refused, too
///   runs/KEY/job/           spec, progress and log of a training, as `jobs` reads it (checkpoints while it runs)
///   runs/KEY/model/         what it made, which every command opens
///   runs/KEY/rows.json      what was measured; a run with this file is done
/// Several processes may work on one folder at a time: each takes runs that nobody has.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/base/unique_descriptor.h"
#include "core/reproduce/study_row.h"
#include "core/train/checkpoints/checkpoint.h"
#include "core/train/reports.h"

namespace natscope::reproduce {

/// A study as its results name it: of its paths the last part alone, since where somebody keeps them is of no use to a
/// reader. inputs.json says what they were.
[[nodiscard]] nlohmann::json published_study(nlohmann::json study);

class StudyFolder {
 public:
  /// Only names the folder; nothing is made.
  explicit StudyFolder(std::filesystem::path path) : path_(std::move(path)) {}

  /// Makes the folder this study's and calls `prepare`, which may make `names` in it; one process at a time. Where it
  /// fails and no study was there before, none is there afterwards, and nothing of those names that was not there: the
  /// next attempt may have other options. An interrupted one is gone on with.
  /// Errors: usage (it holds another study), those of `prepare` and of files.
  [[nodiscard]] Expected<void> begin(const nlohmann::json& study, std::span<const char* const> names,
                                     const std::function<Expected<void>()>& prepare) const;

  /// What the study reads, by what it is, as a SHA-256: written where the folder does not say it yet, else compared,
  /// since rows of two texts are no study. Errors: usage (another one), those of files.
  [[nodiscard]] Expected<void> keep_inputs(const train::RunInputs& inputs) const;

  /// Whether begin() would take the folder for this study; makes nothing. Errors: usage (it holds another study), those
  /// of files.
  [[nodiscard]] Expected<void> check_study(const nlohmann::json& study) const;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path job(const std::string& key) const { return run(key) / "job"; }
  [[nodiscard]] std::filesystem::path model(const std::string& key) const { return run(key) / "model"; }

  [[nodiscard]] bool is_done(const std::string& key) const;

  /// Whether a run's model is there as its training ended. One that `jobs stop --keep` wrote on the way is not.
  [[nodiscard]] bool is_trained(const std::string& key) const;

  /// Where the training of a run was begun: tells its job where the study is now, which may have been moved since.
  /// `spec`: as it would be begun now. Errors: bad_job, those of files.
  [[nodiscard]] Expected<void> renew_places(const std::string& key, const nlohmann::json& spec) const;

  /// Takes a run that is left; nothing when it is done or another process has it. Errors: as try_lock.
  [[nodiscard]] Expected<std::optional<UniqueDescriptor>> take(const std::string& key) const;

  /// Errors: bad_job (damaged, the file named), those of files.
  [[nodiscard]] Expected<std::vector<StudyRow>> rows(const std::string& key) const;

  /// Ends a run: its rows are kept, its checkpoints and token caches are not.
  [[nodiscard]] Expected<void> finish(const std::string& key, std::span<const StudyRow> rows) const;

 private:
  [[nodiscard]] Expected<void> claim(const nlohmann::json& study) const;
  [[nodiscard]] std::filesystem::path run(const std::string& key) const { return path_ / "runs" / key; }

  std::filesystem::path path_;
};

/// A run of a plan, and the runs whose rows it needs.
struct PlannedRun {
  std::string key;
  std::vector<std::string> after;
};

/// What a study says while it is worked on.
struct StudyListener {
  std::function<void(const std::string& key, std::size_t done, std::size_t all)> begun;  ///< a run; `done` before it
  std::function<void(const train::StepReport&)> step;
  std::function<void(const StudyRow&)> scored;
};

/// Calls `work` for every run that is left, nobody else has, and whose rows needed are there; in the order of the plan.
/// What waits for another process's run is passed over: who measures that comes to it next. Errors: those of `work`;
/// interrupted.
[[nodiscard]] Expected<void> work_through(const StudyFolder& folder, std::span<const PlannedRun> plan,
                                          const StudyListener& listener, const StopToken& stop,
                                          const std::function<Expected<void>(std::size_t index)>& work);

/// Rows of the runs that are done, in the order of the plan. Errors: as StudyFolder::rows.
[[nodiscard]] Expected<std::vector<StudyRow>> rows_of(const StudyFolder& folder, std::span<const PlannedRun> plan);

}  // namespace natscope::reproduce
