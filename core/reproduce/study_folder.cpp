// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/study_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/file_lock.h"
#include "core/jobs/job_folder.h"
#include "core/jobs/job_spec.h"
#include "core/json/json_limits.h"

namespace natscope::reproduce {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* study_file = "study.json";
constexpr const char* inputs_file = "inputs.json";

constexpr const char* paths[] = {"data", "test", "model"};

/// With paths that mean the same from every folder.
json with_whole_paths(json study) {
  for (const char* const key : paths) {
    if (study.is_object() && study.contains(key) && study[key].is_string())
      study[key] = jobs::absolute_path(study[key].get<std::string>()).string();
  }
  return study;
}

Expected<void> make_folder(const fs::path& folder) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  return {};
}

}  // namespace

Expected<void> StudyFolder::begin(const json& study, std::span<const char* const> names,
                                  const std::function<Expected<void>()>& prepare) const {
  NATSCOPE_CHECK(make_folder(path_));
  NATSCOPE_TRY(const auto alone, wait_for_lock(path_ / ".lock"));
  std::error_code problem;
  const bool is_new = !fs::exists(path_ / study_file, problem);
  std::vector<fs::path> missing;
  for (const char* const name : names) {
    if (!fs::exists(path_ / name, problem)) missing.push_back(path_ / name);
  }
  if (!fs::exists(path_ / inputs_file, problem)) missing.push_back(path_ / inputs_file);
  NATSCOPE_CHECK(claim(study));
  auto prepared = prepare();
  if (prepared || !is_new || prepared.error().code == ErrorCode::interrupted) return prepared;
  for (const fs::path& made : missing) fs::remove_all(made, problem);
  fs::remove(path_ / study_file, problem);
  return prepared;
}

Expected<void> StudyFolder::claim(const json& study) const {
  const fs::path file = path_ / study_file;
  std::error_code problem;
  if (fs::exists(file, problem)) return check_study(study);
  NATSCOPE_TRY(const std::string text, json_file_text(with_whole_paths(study), "study.json"));
  return write_file_atomically(file, text);
}

json published_study(json study) {
  for (const char* const key : paths) {
    if (study.contains(key) && study[key].is_string())
      study[key] = jobs::absolute_path(study[key].get<std::string>()).filename().string();
  }
  return study;
}

Expected<void> StudyFolder::keep_inputs(const train::RunInputs& inputs) const {
  const fs::path file = path_ / inputs_file;
  std::error_code problem;
  if (!fs::exists(file, problem)) return write_file_atomically(file, json(inputs).dump(2) + "\n");
  NATSCOPE_TRY(const json there, read_json_file(file));
  for (const auto& [name, digest] : inputs) {
    if (!there.is_object() || there.value(name, json(digest)) == digest) continue;
    return fail(ErrorCode::usage,
                "the " + name + " is another than the one that " + printable(path_.string()) + " began with",
                "put that back, or give another --out");
  }
  return {};
}

Expected<void> StudyFolder::check_study(const json& study) const {
  const fs::path file = path_ / study_file;
  std::error_code problem;
  if (!fs::exists(file, problem)) return {};
  NATSCOPE_TRY(const json there, read_json_file(file));
  if (with_whole_paths(there) == with_whole_paths(study)) return {};
  return fail(ErrorCode::usage, printable(path_.string()) + " holds another study",
              "give the options that its study.json names, or another --out");
}

bool StudyFolder::is_done(const std::string& key) const {
  std::error_code problem;
  return fs::exists(run(key) / "rows.json", problem);
}

bool StudyFolder::is_trained(const std::string& key) const {
  std::error_code problem;
  // What export writes last, of a whole model and of an adapter.
  const bool is_there =
      fs::exists(model(key) / "config.json", problem) || fs::exists(model(key) / "adapter_config.json", problem);
  if (!is_there || !jobs::JobFolder::exists(job(key))) return is_there;
  const auto status = jobs::read_job_status(job(key));
  return status && status->state == jobs::JobState::finished;
}

Expected<void> StudyFolder::renew_places(const std::string& key, const json& spec) const {
  if (!jobs::JobFolder::exists(job(key))) return {};
  NATSCOPE_TRY(json begun, jobs::JobFolder::read_spec(job(key)));
  const json now = jobs::with_absolute_paths(spec);
  bool is_moved = false;
  for (const char* const place : {"data", "tokenizer", "model", "out"}) {
    if (!now.contains(place) || !begun.contains(place) || begun[place] == now[place]) continue;
    begun[place] = now[place];
    is_moved = true;
  }
  return is_moved ? jobs::JobFolder::beside(job(key)).write_spec(begun) : Expected<void>();
}

Expected<std::optional<UniqueDescriptor>> StudyFolder::take(const std::string& key) const {
  NATSCOPE_CHECK(make_folder(run(key)));
  NATSCOPE_TRY(auto lock, try_lock(run(key) / ".lock"));
  if (is_done(key)) lock.reset();
  return lock;
}

Expected<std::vector<StudyRow>> StudyFolder::rows(const std::string& key) const {
  const fs::path file = run(key) / "rows.json";
  NATSCOPE_TRY(const json stored, read_json_file(file));
  const auto damaged = [&file](const std::string& what) {
    return fail(ErrorCode::bad_job, printable(file.string()) + ": " + what, "remove it, and run again");
  };
  std::vector<StudyRow> rows;
  for (const json& object : stored.is_array() ? stored : json::array()) {
    auto row = row_from_json(object);
    if (!row) return damaged(row.error().message);
    rows.push_back(std::move(*row));
  }
  if (rows.empty()) return damaged("no rows");
  return rows;
}

Expected<void> StudyFolder::finish(const std::string& key, std::span<const StudyRow> rows) const {
  json stored = json::array();
  for (const StudyRow& row : rows) stored.push_back(row_json(row));
  NATSCOPE_CHECK(write_file_atomically(run(key) / "rows.json", stored.dump(2) + "\n"));
  // Nobody goes on with a finished training, and checkpoints are most of its bytes.
  std::error_code ignored;
  fs::remove_all(job(key) / "checkpoints", ignored);
  fs::remove(job(key) / "train.tokens", ignored);
  return {};
}

Expected<void> work_through(const StudyFolder& folder, std::span<const PlannedRun> plan, const StudyListener& listener,
                            const StopToken& stop, const std::function<Expected<void>(std::size_t index)>& work) {
  const auto is_done = [&folder](const std::string& key) { return folder.is_done(key); };
  for (std::size_t i = 0; i < plan.size(); ++i) {
    NATSCOPE_CHECK(check(stop));
    if (is_done(plan[i].key) || !std::all_of(plan[i].after.begin(), plan[i].after.end(), is_done)) continue;
    NATSCOPE_TRY(const auto taken, folder.take(plan[i].key));
    if (!taken) continue;
    if (listener.begun) {
      const auto done =
          std::count_if(plan.begin(), plan.end(), [&](const PlannedRun& run) { return is_done(run.key); });
      listener.begun(plan[i].key, static_cast<std::size_t>(done), plan.size());
    }
    NATSCOPE_CHECK(work(i));
  }
  return {};
}

Expected<std::vector<StudyRow>> rows_of(const StudyFolder& folder, std::span<const PlannedRun> plan) {
  std::vector<StudyRow> all;
  for (const PlannedRun& run : plan) {
    if (!folder.is_done(run.key)) continue;
    NATSCOPE_TRY(const auto rows, folder.rows(run.key));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace natscope::reproduce
