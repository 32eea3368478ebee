// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/jobs/job_file.h"
#include "core/jobs/json_fields.h"
#include "core/json/json_limits.h"

namespace natscope::jobs {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr JsonLimits small_file_limits{std::size_t{64} << 10, 4, 256};
constexpr std::uint64_t output_tail_bytes = 64 << 10;
constexpr const char* stop_file = "stop-request.json";

/// Nothing when the file is not there.
Expected<std::optional<json>> read_object(const fs::path& folder, const char* file) {
  auto text = read_job_file(folder / file, small_file_limits.max_bytes);
  if (!text && text.error().code == ErrorCode::file_not_found) return std::optional<json>();
  if (!text) return Unexpected(std::move(text).error());
  auto parsed = parse_json(*text, small_file_limits, (folder / file).string());
  if (!parsed) return fail(ErrorCode::bad_job, parsed.error().message, "remove the file; the job can be resumed");
  if (!parsed->is_object()) {
    return fail(ErrorCode::bad_job, (folder / file).string() + " is no JSON object",
                "remove the file; the job can be resumed");
  }
  return std::optional<json>(std::move(*parsed));
}

ProcessIdentity process_of(JsonFields& fields) {
  ProcessIdentity process;
  process.pid = fields.optional_count("pid").value_or(0);
  process.host = fields.text("host", 256);
  process.started = static_cast<std::uint64_t>(fields.optional_count("process_started").value_or(0));
  process.boot = fields.text("boot", 64);
  return process;
}

/// `wrong`: what JsonFields found.
Expected<void> check_fields(const std::string& wrong, const fs::path& path) {
  if (wrong.empty()) return {};
  return fail(ErrorCode::bad_job, path.string() + ": " + wrong + " has an impossible value",
              "remove the file; the job can be resumed");
}

bool is_younger(const fs::path& a, const fs::path& b) {
  std::error_code problem;
  const auto time_a = fs::last_write_time(a, problem);
  if (problem) return false;
  const auto time_b = fs::last_write_time(b, problem);
  return problem || time_a > time_b;
}

/// Why a process ended that never wrote a status: its last error line. What stands before `begin` an earlier one said.
std::string last_error_line(const fs::path& folder, std::uint64_t begin) {
  FollowedFile output(folder / "output.txt");
  std::error_code problem;
  const std::uint64_t size = fs::file_size(folder / "output.txt", problem);
  if (problem || size < begin) begin = 0;  // somebody made it anew
  if (!problem && size > begin + output_tail_bytes) {
    output.begin_near_end(output_tail_bytes);
  } else {
    output.begin_at(begin);
  }
  const auto news = output.poll();
  if (news) {
    for (auto line = news->lines.rbegin(); line != news->lines.rend(); ++line) {
      if (line->starts_with("error: ")) return printable(*line, 2000);
    }
  }
  return format_error_line(
      make_error(ErrorCode::bad_job, "the job ended before it began", "see output.txt in its folder"));
}

}  // namespace

const char* name(RunnerKind kind) { return kind == RunnerKind::local ? "local" : "slurm"; }

Expected<std::optional<LaunchRecord>> read_launch_record(const fs::path& folder) {
  NATSCOPE_TRY(const auto object, read_object(folder, "launch.json"));
  if (!object) return std::optional<LaunchRecord>();
  std::string wrong;
  JsonFields fields(*object, wrong);
  LaunchRecord launch;
  const std::string runner = fields.text("runner");
  if (runner == name(RunnerKind::slurm)) {
    launch.runner = RunnerKind::slurm;
    launch.slurm_job = fields.text("slurm_job", 32);
    // It becomes an argument of squeue and scancel, which must not read it as an option or as several jobs.
    const bool digits = !launch.slurm_job.empty() && std::all_of(launch.slurm_job.begin(), launch.slurm_job.end(),
                                                                 [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) fields.refuse("slurm_job");
    if (const std::string ended = fields.text("ended"); !ended.empty()) {
      launch.ended = job_state_from_name(ended);
      if (!launch.ended || is_active(*launch.ended)) fields.refuse("ended");
    }
    launch.ended_words = fields.text("ended_words");
  } else if (runner == name(RunnerKind::local)) {
    launch.process = process_of(fields);
    launch.output_bytes = static_cast<std::uint64_t>(fields.optional_count("output_bytes").value_or(0));
  } else {
    fields.refuse("runner");
  }
  NATSCOPE_CHECK(check_fields(wrong, folder / "launch.json"));
  return std::optional<LaunchRecord>(std::move(launch));
}

Expected<void> write_launch_record(const fs::path& folder, const LaunchRecord& launch) {
  json object{{"runner", name(launch.runner)}};
  if (launch.runner == RunnerKind::slurm) {
    object["slurm_job"] = launch.slurm_job;
    if (launch.ended) object.update({{"ended", name(*launch.ended)}, {"ended_words", launch.ended_words}});
  } else {
    object.update({{"pid", launch.process.pid},
                   {"host", launch.process.host},
                   {"process_started", launch.process.started},
                   {"boot", launch.process.boot},
                   {"output_bytes", launch.output_bytes}});
  }
  return write_file_atomically(folder / "launch.json",
                               object.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

Expected<JobStatus> read_job_status(const fs::path& folder) {
  // The launch first: a trainer that speaks in between makes its status the younger one, which is true.
  NATSCOPE_TRY(auto launch, read_launch_record(folder));
  NATSCOPE_TRY(const auto object, read_object(folder, "status.json"));
  JobStatus status;
  if (object) {
    std::string wrong;
    JsonFields fields(*object, wrong);
    const auto state = job_state_from_name(fields.text("state"));
    if (!state) fields.refuse("state");
    status.state = state.value_or(JobState::failed);
    status.process = process_of(fields);
    status.step = fields.optional_count("step").value_or(0);
    status.steps = fields.optional_count("steps").value_or(0);
    status.updated = fields.text("updated", 64);
    status.error = fields.text("error", 32 << 10);
    NATSCOPE_CHECK(check_fields(wrong, folder / "status.json"));
  }
  status.launch = std::move(launch);
  const bool launched = status.launch && !is_younger(folder / "status.json", folder / "launch.json");
  if (launched && status.launch->runner == RunnerKind::slurm) {
    status.state = status.launch->ended.value_or(JobState::queued);
    status.cluster = status.launch->ended_words;
    status.error.clear();
    if (status.state == JobState::failed) {
      status.error = format_error_line(make_error(ErrorCode::bad_job, "the batch script ended (" + status.cluster + ")",
                                                  "see output.txt in the job's folder"));
    }
  } else if (launched) {
    const bool is_gone = liveness(status.launch->process) == Liveness::gone;
    // Of two that were started at once the second one ends, because the first one is at work.
    if (is_gone && status.state == JobState::running && liveness(status.process) == Liveness::alive) {
      status.stop_requested = stop_request(folder).has_value();
      return status;
    }
    status.process = status.launch->process;
    status.error.clear();
    status.state = is_gone ? JobState::failed : JobState::starting;
    if (is_gone) status.error = last_error_line(folder, status.launch->output_bytes);
  } else if (status.state == JobState::running && liveness(status.process) == Liveness::gone) {
    // Of several ranks the one that says where they are is gone; memory and cores are the others' until their starter
    // has ended them.
    const bool was_last = !status.launch || status.launch->runner != RunnerKind::local ||
                          liveness(status.launch->process) != Liveness::alive;
    if (was_last) status.state = JobState::killed;
  }
  status.stop_requested = is_active(status.state) && stop_request(folder).has_value();
  return status;
}

Expected<void> request_stop(const fs::path& folder, StopMode mode) {
  // What stands there already may be a stranger's link, and a file that it names must not be written over.
  withdraw_stop_request(folder);
  return write_file_atomically(folder / stop_file, json{{"keep_model", mode == StopMode::keep_model}}.dump() + "\n");
}

std::optional<StopMode> stop_request(const fs::path& folder) {
  const auto object = read_object(folder, stop_file);
  if (object && !object->has_value()) return std::nullopt;
  // What stands there and is no request that can be read is still one. A disk that fails for a moment asks for nothing.
  if (!object && object.error().code == ErrorCode::io_failure) return std::nullopt;
  const bool keep = object && (*object)->value("keep_model", json()) == true;
  return keep ? StopMode::keep_model : StopMode::resume_later;
}

void withdraw_stop_request(const fs::path& folder) {
  std::error_code problem;
  fs::remove(folder / stop_file, problem);
}

}  // namespace natscope::jobs
