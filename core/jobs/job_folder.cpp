// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/file_lock.h"
#include "core/base/small_file.h"
#include "core/base/system_error.h"
#include "core/jobs/job_file.h"
#include "core/jobs/job_spec.h"
#include "core/json/json_limits.h"

namespace natscope::jobs {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* reserve_file = ".reserve";
/// Room for a status, its temporary file and some lines of the log, on any usual block size.
constexpr std::size_t reserve_bytes = 128 << 10;

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Expected<UniqueDescriptor> lock_folder(const fs::path& folder) {
  NATSCOPE_TRY(auto lock, try_lock(folder / ".lock"));
  if (lock) return std::move(*lock);
  return fail(ErrorCode::bad_job, printable(folder.string()) + ": another process is at work in this job",
              "stop it first: natscope-cli jobs stop");
}

/// Whether a runner began the job and its trainer has not spoken since. The runner withdrew what was asked of the run
/// before, so that a request which is there now is meant for the trainer that is about to begin.
bool waits_for_trainer(const fs::path& folder) {
  const auto status = read_job_status(folder);
  return status && (status->state == JobState::starting || status->state == JobState::queued);
}

constexpr const char* vocabulary_file = "tokenizer.model";
constexpr const char* checkpoints_folder = "checkpoints";

constexpr std::array of_a_job{"spec.json",
                              "status.json",
                              "progress.jsonl",
                              "log.txt",
                              "output.txt",
                              "launch.json",
                              "slurm.sh",
                              "stop-request.json",
                              vocabulary_file,
                              "train.tokens",
                              "valid.tokens",
                              checkpoints_folder,
                              "exports",
                              "model",
                              "config.json",
                              "model.safetensors",
                              "adapter.safetensors",
                              "adapter_config.json",
                              "generation_config.json",
                              "tokenizer.json",
                              "tokenizer_config.json",
                              "chat_template.jinja"};

constexpr std::array folders_of_a_job{checkpoints_folder, "exports", "model"};

/// A job folder must not make its trainer wait at a pipe, or write or delete where a link leads.
Expected<void> check_own_files(const fs::path& folder) {
  const auto check_type = [&folder](const char* name, fs::file_type wanted, const char* what) -> Expected<void> {
    std::error_code problem;
    const fs::file_type type = fs::symlink_status(folder / name, problem).type();
    if (type == wanted || type == fs::file_type::not_found || type == fs::file_type::none) return {};
    return fail(ErrorCode::not_a_regular_file, printable((folder / name).string()) + " is not a plain " + what,
                "a job's files are written by its trainer alone; remove it");
  };
  const auto is_folder = [](const std::string& name) {
    return std::ranges::find(folders_of_a_job, name) != folders_of_a_job.end();
  };
  for (const char* const name : {".lock", reserve_file})
    NATSCOPE_CHECK(check_type(name, fs::file_type::regular, "file"));
  for (const char* const name : of_a_job) {
    NATSCOPE_CHECK(is_folder(name) ? check_type(name, fs::file_type::directory, "folder")
                                   : check_type(name, fs::file_type::regular, "file"));
  }
  return {};
}

/// A run only adds lines to these, so that a shell may have opened them for what it prints.
bool is_added_to(const std::string& name) { return name == "log.txt" || name == "output.txt"; }

template <class Known>
std::optional<std::string> first_but(const fs::path& folder, const Known& is_known) {
  std::optional<std::string> first;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with('.') && !is_known(name) && (!first || name < *first)) first = name;
  }
  return first;
}

}  // namespace

std::optional<std::string> not_of_a_job(const fs::path& folder) {
  return first_but(folder, [](const std::string& name) { return std::ranges::find(of_a_job, name) != of_a_job.end(); });
}

std::optional<std::string> in_the_way_of_a_job(const fs::path& folder, std::span<const fs::path> own) {
  auto other = first_but(folder, [&](const std::string& name) {
    std::error_code problem;
    const bool is_own =
        std::ranges::any_of(own, [&](const fs::path& file) { return fs::equivalent(folder / name, file, problem); });
    const bool may_be_empty = name == checkpoints_folder && fs::is_directory(folder / name, problem);
    return is_own || may_be_empty || is_added_to(name);
  });
  if (other) return other;
  const auto inside = first_but(folder / checkpoints_folder, [](const std::string&) { return false; });
  return inside ? std::optional(std::string(checkpoints_folder) + "/" + *inside) : std::nullopt;
}

Expected<JobFolder> JobFolder::create(const fs::path& folder) {
  NATSCOPE_CHECK(check_own_files(folder));
  std::error_code problem;
  fs::create_directories(folder / checkpoints_folder, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  NATSCOPE_TRY(UniqueDescriptor lock, lock_folder(folder));
  if (!waits_for_trainer(folder)) withdraw_stop_request(folder);
  if (!path_exists(folder / reserve_file)) {
    NATSCOPE_CHECK(write_file_atomically(folder / reserve_file, std::string(reserve_bytes, '\0')));
  }
  return JobFolder(folder, std::move(lock));
}

bool JobFolder::exists(const fs::path& folder) {
  std::error_code problem;
  return fs::exists(folder / "spec.json", problem);
}

Expected<json> JobFolder::read_spec(const fs::path& folder) { return read_spec_json(folder); }

Expected<void> JobFolder::write_spec(const json& spec) const {
  NATSCOPE_TRY(const std::string text, spec_text(spec));
  return write_file_atomically(folder_ / "spec.json", text);
}

Expected<void> JobFolder::write_status(JobState state, std::int64_t step, std::int64_t steps, std::string_view error) {
  status_written_ = std::chrono::steady_clock::now();
  json status{
      {"state", name(state)},  {"pid", process_.pid}, {"host", process_.host}, {"process_started", process_.started},
      {"boot", process_.boot}, {"step", step},        {"steps", steps},        {"updated", utc_now()}};
  if (!error.empty()) status["error"] = std::string(error);
  const std::string text = status.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  if (!is_active(state)) release_reserve();
  return write_file_atomically(folder_ / "status.json", text);
}

Expected<void> JobFolder::write_running_status(std::int64_t step, std::int64_t steps) {
  if (std::chrono::steady_clock::now() - status_written_ < std::chrono::seconds(1)) return {};
  return write_status(JobState::running, step, steps);
}

void JobFolder::release_reserve() const {
  std::error_code problem;
  fs::remove(folder_ / reserve_file, problem);
}

Expected<void> JobFolder::append(const char* file, std::string_view text) const {
  const fs::path path = folder_ / file;
  UniqueDescriptor descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!descriptor.is_open()) return Unexpected(system_error(errno, "open", path));
  // One write, so that readers see whole lines. What a full disk cut off is taken back.
  struct stat before {};
  const bool known = ::fstat(descriptor.get(), &before) == 0;
  const ssize_t written = ::write(descriptor.get(), text.data(), text.size());
  const int problem = written < 0 ? errno : ENOSPC;
  if (written == static_cast<ssize_t>(text.size())) return {};
  if (written > 0 && known && ::ftruncate(descriptor.get(), before.st_size) != 0) {
    // The half line stays; rewind_progress() and every reader pass over it.
  }
  return Unexpected(system_error(problem, "write", path));
}

Expected<void> JobFolder::append_progress(const json& line) const {
  return append("progress.jsonl", line.dump() + "\n");
}

Expected<void> JobFolder::log(std::string_view text) const {
  return append("log.txt", utc_now() + " " + printable(text, 2000) + "\n");
}

Expected<void> JobFolder::rewind_progress(std::int64_t step) const {
  const fs::path path = folder_ / "progress.jsonl";
  if (!path_exists(path)) return {};
  std::string kept;
  FollowedFile progress(path);
  for (bool more = true; more;) {
    // What cannot be read is not the end: the rest would be lost with it.
    NATSCOPE_TRY(const NewLines news, progress.poll());
    for (const std::string& line : news.lines) {
      const json entry = json::parse(line, nullptr, false);
      if (!entry.is_object()) continue;
      const auto at = entry.find("step");
      if (at == entry.end() || !at->is_number_integer() || at->get<std::int64_t>() > step) continue;
      kept += line + "\n";
    }
    more = news.more;
  }
  return write_file_atomically(path, kept);
}

}  // namespace natscope::jobs
