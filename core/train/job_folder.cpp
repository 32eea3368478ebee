// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/job_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/io/json_limits.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const char* name(JobState state) {
  switch (state) {
    case JobState::running:
      return "running";
    case JobState::finished:
      return "finished";
    case JobState::interrupted:
      return "interrupted";
    case JobState::failed:
      return "failed";
  }
  return "failed";
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

Expected<JobFolder> JobFolder::create(const fs::path& folder) {
  std::error_code problem;
  fs::create_directories(folder / "checkpoints", problem);
  if (problem) return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  return JobFolder(folder);
}

bool JobFolder::exists(const fs::path& folder) {
  std::error_code problem;
  return fs::exists(folder / "spec.json", problem);
}

Expected<json> JobFolder::read_spec(const fs::path& folder) { return read_json_file((folder / "spec.json").string()); }

Expected<void> JobFolder::write_spec(const json& spec) const {
  return write_file_atomically(folder_ / "spec.json", spec.dump(2) + "\n");
}

Expected<void> JobFolder::write_status(JobState state, std::int64_t step, std::int64_t steps, std::string_view error) {
  status_written_ = std::chrono::steady_clock::now();
  json status{{"state", name(state)}, {"pid", ::getpid()}, {"step", step}, {"steps", steps}, {"updated", utc_now()}};
  if (!error.empty()) status["error"] = std::string(error);
  return write_file_atomically(folder_ / "status.json",
                               status.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

Expected<void> JobFolder::write_running_status(std::int64_t step, std::int64_t steps) {
  if (std::chrono::steady_clock::now() - status_written_ < std::chrono::seconds(1)) return {};
  return write_status(JobState::running, step, steps);
}

Expected<void> JobFolder::append(const char* file, std::string_view text) const {
  const fs::path path = folder_ / file;
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) return fail(ErrorCode::io_failure, printable(path.string()) + ": " + std::strerror(errno));
  const ssize_t written = ::write(descriptor, text.data(), text.size());
  const int problem = errno;
  ::close(descriptor);
  if (written == static_cast<ssize_t>(text.size())) return {};
  const bool full = written >= 0 || problem == ENOSPC || problem == EDQUOT;
  return fail(full ? ErrorCode::disk_full : ErrorCode::io_failure, printable(path.string()) + " cannot be written");
}

Expected<void> JobFolder::append_progress(const json& line) const {
  return append("progress.jsonl", line.dump() + "\n");
}

Expected<void> JobFolder::log(std::string_view text) const {
  return append("log.txt", utc_now() + " " + printable(text, 2000) + "\n");
}

Expected<void> JobFolder::rewind_progress(std::int64_t step) const {
  const fs::path path = folder_ / "progress.jsonl";
  std::ifstream in(path);
  if (!in) return {};
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    const json entry = json::parse(line, nullptr, false);
    if (!entry.is_object() || in.eof()) continue;
    const auto at = entry.find("step");
    if (at == entry.end() || !at->is_number_integer() || at->get<std::int64_t>() > step) continue;
    kept += line + "\n";
  }
  return write_file_atomically(path, kept);
}

}  // namespace natscope::train
