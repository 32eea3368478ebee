// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_store.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/file_lock.h"
#include "core/base/small_file.h"
#include "core/jobs/job_folder.h"

namespace natscope::jobs {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t max_name_bytes = 100;

Unexpected is_there(const fs::path& folder) {
  return fail(ErrorCode::usage, printable(folder.string()) + " is there already", "choose another name");
}

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool is_path(std::string_view text) { return text.find('/') != std::string_view::npos || text == "." || text == ".."; }

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// $HOME, else what the system knows of this user: without either it would be another folder in every folder.
std::string home_folder() {
  if (auto home = environment("HOME"); !home.empty()) return home;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr &&
      found->pw_dir != nullptr && *found->pw_dir == '/')
    return found->pw_dir;
  return ".";
}

/// A hidden name beside `folder`, for what is being made or unmade.
fs::path hidden_name(const fs::path& folder, const char* purpose) {
  return folder.parent_path() /
         ("." + std::string(purpose) + "-" + folder.filename().string() + "-" + std::to_string(::getpid()));
}

fs::file_time_type last_change(const fs::path& folder) {
  fs::file_time_type newest = fs::file_time_type::min();
  for (const char* file : {"spec.json", "status.json", "launch.json"}) {
    std::error_code problem;
    const auto time = fs::last_write_time(folder / file, problem);
    if (!problem) newest = std::max(newest, time);
  }
  return newest;
}

JobEntry entry_of(const fs::path& folder) {
  JobEntry entry;
  entry.name = folder.filename().string();
  entry.folder = folder;
  auto spec = read_job_spec(folder);
  auto status = read_job_status(folder);
  if (!spec) {
    entry.problem = std::move(spec).error();
  } else if (!status) {
    entry.problem = std::move(status).error();
  } else {
    entry.spec = std::move(*spec);
    entry.status = std::move(*status);
  }
  return entry;
}

/// Deletes a folder; what is left after a problem is still a job. Links are removed, never followed.
std::error_code remove_with_spec_last(const fs::path& folder) {
  std::error_code problem;
  std::vector<fs::path> others;
  for (fs::directory_iterator entry(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    if (entry->path().filename() != "spec.json") others.push_back(entry->path());
  }
  for (const fs::path& path : others) {
    if (!problem) fs::remove_all(path, problem);
  }
  if (!problem) fs::remove_all(folder, problem);
  return problem;
}

}  // namespace

fs::path default_jobs_folder() {
  if (const auto folder = environment("NATSCOPE_JOBS"); !folder.empty()) return absolute_path(folder);
  // The base directory specification: a relative XDG_DATA_HOME counts as none.
  if (const auto data = environment("XDG_DATA_HOME"); !data.empty() && data.front() == '/') {
    return fs::path(data) / "natscope" / "jobs";
  }
  return absolute_path(fs::path(home_folder()) / ".local" / "share" / "natscope" / "jobs");
}

Expected<void> check_job_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= max_name_bytes && is_alphanumeric(name.front()) &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
  if (good) return {};
  return fail(ErrorCode::usage, "\"" + printable(name, 120) + "\" is not a name for a job",
              "use up to 100 letters, digits, dots, - and _, a letter or digit first; or a path with a / in it");
}

Expected<std::vector<JobEntry>> JobStore::list() const {
  std::vector<std::pair<fs::file_time_type, JobEntry>> found;
  std::error_code problem;
  for (fs::directory_iterator entry(root_, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    const fs::path folder = entry->path();
    if (folder.filename().string().starts_with('.') || !path_exists(folder / "spec.json")) continue;
    found.emplace_back(last_change(folder), entry_of(folder));
  }
  if (problem && problem != std::errc::no_such_file_or_directory) {
    return fail(ErrorCode::io_failure, printable(root_.string()) + ": " + problem.message());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second.name < b.second.name;
  });
  std::vector<JobEntry> jobs;
  for (auto& [time, entry] : found) jobs.push_back(std::move(entry));
  return jobs;
}

Expected<fs::path> JobStore::find(std::string_view name_or_path) const {
  if (!is_path(name_or_path)) NATSCOPE_CHECK(check_job_name(name_or_path));
  const fs::path folder = is_path(name_or_path) ? absolute_path(name_or_path) : root_ / name_or_path;
  if (path_exists(folder / "spec.json")) return folder;
  return fail(ErrorCode::bad_job, printable(folder.string()) + " holds no job (no spec.json)",
              "natscope-cli jobs list shows the jobs in " + printable(root_.string()));
}

Expected<fs::path> JobStore::place_for(std::string_view name_or_path) const {
  if (!is_path(name_or_path)) NATSCOPE_CHECK(check_job_name(name_or_path));
  const fs::path folder = is_path(name_or_path) ? absolute_path(name_or_path) : root_ / name_or_path;
  std::error_code problem;
  if (!path_exists(folder) || (fs::is_directory(folder, problem) && fs::is_empty(folder, problem))) return folder;
  return is_there(folder);
}

Expected<fs::path> JobStore::create(std::string_view name_or_path, json spec) const {
  NATSCOPE_CHECK(job_spec_from_json(spec));
  NATSCOPE_TRY(const fs::path folder, place_for(name_or_path));
  NATSCOPE_TRY(const std::string text, spec_text(std::move(spec)));
  const fs::path unfinished = hidden_name(folder, "new");
  std::error_code problem;
  fs::create_directories(unfinished, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  auto written = write_file_atomically(unfinished / "spec.json", text);
  // Over an empty folder a rename is allowed; over anything else it fails.
  if (written) fs::rename(unfinished, folder, problem);
  if (!written || problem) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    if (!written) return Unexpected(std::move(written).error());
    if (problem == std::errc::directory_not_empty || problem == std::errc::file_exists) return is_there(folder);
    return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  }
  NATSCOPE_CHECK(sync_folder(folder.parent_path()));
  return folder;
}

Expected<fs::path> JobStore::duplicate(std::string_view from, std::string_view to,
                                       std::span<const JobOption> changes) const {
  NATSCOPE_TRY(const fs::path old_folder, find(from));
  NATSCOPE_TRY(const fs::path new_folder, place_for(to));
  NATSCOPE_TRY(json spec, read_spec_json(old_folder));
  NATSCOPE_CHECK(job_spec_from_json(spec));
  const auto out = spec.find("out");
  if (out != spec.end() && out->is_string() && !out->get_ref<const std::string&>().empty()) {
    const fs::path relative = absolute_path(out->get<std::string>()).lexically_relative(old_folder);
    const bool inside = !relative.empty() && *relative.begin() != "..";
    // One model folder for two jobs would be overwritten by the second.
    *out = (inside ? (new_folder / relative).lexically_normal() : new_folder / "model").string();
  }
  NATSCOPE_TRY(spec, with_changes(std::move(spec), changes));
  return create(to, std::move(spec));
}

Expected<void> JobStore::remove(std::string_view name_or_path) const {
  NATSCOPE_TRY(const fs::path folder, find(name_or_path));
  const auto status = read_job_status(folder);
  if (status && is_active(status->state)) {
    return fail(ErrorCode::bad_job,
                printable(folder.string()) + " is " + name(status->state) + " and cannot be deleted",
                "stop it first: natscope-cli jobs stop");
  }
  // A status can be damaged, and a trainer in another container has a pid that is nobody's here.
  const auto held = try_lock(folder / ".lock");
  if (held && !*held) {
    return fail(ErrorCode::bad_job, printable(folder.string()) + ": a process is at work in it, it cannot be deleted",
                "stop it first: natscope-cli jobs stop");
  }
  if (const auto other = not_of_a_job(folder)) {
    return fail(ErrorCode::bad_job,
                printable(folder.string()) + " holds " + printable(*other) +
                    ", which does not belong to a job: it is not deleted",
                "move that elsewhere, or delete the folder yourself");
  }
  std::error_code problem;
  const fs::path doomed = hidden_name(folder, "deleted");
  fs::rename(folder, doomed, problem);
  if (!problem) {
    problem = remove_with_spec_last(doomed);
    std::error_code ignored;
    if (problem) fs::rename(doomed, folder, ignored);
  }
  if (problem) return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  return {};
}

}  // namespace natscope::jobs
