// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/run_folders.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "core/base/small_file.h"
#include "core/jobs/checkpoint_list.h"
#include "core/jobs/job_folder.h"
#include "core/jobs/job_status.h"
#include "core/train/checkpoints/checkpoint.h"
#include "core/train/text/corpus.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;
using jobs::JobFolder;
using jobs::JobState;

constexpr const char* vocabulary_file = "tokenizer.model";

/// A run that ended without a checkpoint: there is nothing in its folder that a new run would destroy. Not one that was
/// only described or is yet to begin, whose options would be lost; JobFolder::create() refuses one that is at work.
bool may_begin_again(const fs::path& job) {
  const auto status = jobs::read_job_status(job);
  // A damaged checkpoint may be worth a look, or be put back.
  if (!status || !jobs::list_checkpoints(job / "checkpoints").empty()) return false;
  if (status->state == JobState::failed) return status->step == 0;
  return status->state == JobState::interrupted || status->state == JobState::killed;
}

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code problem;
  return fs::equivalent(a, b, problem);
}

/// Whether the vocabulary in the folder of a run that ended is one that it made: trained, or copied from elsewhere.
bool made_its_vocabulary(const fs::path& job) {
  const auto spec = JobFolder::read_spec(job);
  if (!spec || !spec->is_object()) return false;
  const auto chosen = spec->find("tokenizer");
  return chosen == spec->end() || !chosen->is_string() ||
         !is_same_file(chosen->get<std::string>(), job / vocabulary_file);
}

/// The files in its folder that a run begins with: the chosen vocabulary, and the tokens of its text, which somebody
/// who begins several runs on one text may put there.
std::vector<fs::path> usable_files(const fs::path& job, const fs::path& vocabulary) {
  std::vector<fs::path> files{vocabulary};
  for (const char* const name : {"train.tokens", "valid.tokens"}) {
    if (Corpus::is_cache(job / name)) files.push_back(job / name);
  }
  return files;
}

/// Whether the run that is to go on may have written its model: it has a checkpoint, be it a damaged one.
bool has_begun(const RunFolders& run) {
  const auto there = jobs::list_checkpoints(run.job / "checkpoints");
  return run.resume && std::ranges::any_of(there, [](const auto& entry) {
           std::error_code problem;
           return is_only_a_checkpoint(entry.folder) && !fs::is_empty(entry.folder, problem);
         });
}

Unexpected not_empty(const fs::path& folder, const std::string& name, const std::string& what,
                     bool may_be_chosen = false) {
  const std::string elsewhere = "name a new or an empty folder for " + what;
  if (name == vocabulary_file && may_be_chosen) {
    const std::string file = printable((folder / name).string());
    return fail(ErrorCode::usage, file + " is there already, a vocabulary that the run was not told to use",
                "--tokenizer " + file + " uses it; or " + elsewhere);
  }
  return fail(ErrorCode::usage, printable(folder.string()) + " is not empty: it holds " + printable(name), elsewhere);
}

}  // namespace

Expected<void> check_job_folder(const RunFolders& run) {
  const fs::path& job = run.job;
  if (job.empty()) return fail(ErrorCode::usage, "no folder for the run", "name one with --out or --job");
  const bool exists = JobFolder::exists(job);
  if (run.resume && !exists) {
    return fail(ErrorCode::bad_job, printable(job.string()) + " holds no run to resume (no spec.json)",
                "start it without --resume");
  }
  if (run.resume) return {};
  if (exists && !may_begin_again(job)) {
    return fail(ErrorCode::usage, printable(job.string()) + " already holds a run",
                "add --resume to go on with it, or choose another folder");
  }
  const fs::path chosen = run.vocabulary.value_or(fs::path());
  if (!exists) {
    const auto other = jobs::in_the_way_of_a_job(job, usable_files(job, chosen));
    return other ? not_empty(job, *other, "the run", run.vocabulary.has_value()) : Expected<void>();
  }
  const fs::path vocabulary = job / vocabulary_file;
  if (path_exists(vocabulary) && !is_same_file(vocabulary, chosen) && !made_its_vocabulary(job)) {
    return not_empty(job, vocabulary_file, "the run", run.vocabulary.has_value());
  }
  return {};
}

Expected<void> check_model_folder(const RunFolders& run) {
  // A model in the job's own folder: check_job_folder().
  if (has_begun(run) || is_same_file(run.out, run.job)) return {};
  const auto other = jobs::in_the_way_of_a_job(run.out, std::array{run.vocabulary.value_or(fs::path())});
  return other ? not_empty(run.out, *other, "the model", run.vocabulary.has_value()) : Expected<void>();
}

Expected<void> check_export_folder(const fs::path& out) {
  const auto other = jobs::in_the_way_of_a_job(out);
  return other ? not_empty(out, *other, "the model") : Expected<void>();
}

}  // namespace natscope::train
