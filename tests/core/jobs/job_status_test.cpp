// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_status.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "core/jobs/job_folder.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::jobs;
using natscope::test::TemporaryFolder;
using nlohmann::json;

namespace {

void write_status(const TemporaryFolder& folder, const json& status) {
  test::write_bytes(folder / "status.json", status.dump());
}

JobState state_of(const TemporaryFolder& folder) {
  const auto status = read_job_status(folder.path());
  REQUIRE_MESSAGE(status, (status ? "" : status.error().message));
  return status->state;
}

json as_json(const ProcessIdentity& process, const char* state) {
  return {{"state", state},       {"pid", process.pid}, {"host", process.host}, {"process_started", process.started},
          {"boot", process.boot}, {"step", 5},          {"steps", 9},           {"updated", "2026-01-31T12:00:00Z"}};
}

/// A process that is there until it is told to end, and a pid that nobody has once it was waited for.
pid_t sleeping_child() {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  return child;
}

void end(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

}  // namespace

TEST_CASE("running is believed as long as that very process is there") {
  const TemporaryFolder folder;
  CHECK(state_of(folder) == JobState::created);
  const pid_t child = sleeping_child();
  const auto process = process_with_pid(child);
  REQUIRE(process);
  CHECK(process->started > 0);
  write_status(folder, as_json(*process, "running"));
  CHECK(state_of(folder) == JobState::running);

  auto reused = *process;  // the same pid, another start: somebody else's process
  reused.started -= 1;
  write_status(folder, as_json(reused, "running"));
  CHECK(state_of(folder) == JobState::killed);

  auto before_reboot = *process;
  before_reboot.boot = "00000000-0000-0000-0000-000000000000";
  write_status(folder, as_json(before_reboot, "running"));
  CHECK(state_of(folder) == JobState::killed);

  auto elsewhere = *process;
  elsewhere.host = "another.machine";
  elsewhere.pid = 1;
  write_status(folder, as_json(elsewhere, "running"));
  CHECK(state_of(folder) == JobState::running);

  write_status(folder, json{{"state", "running"}, {"pid", child}});  // as an older version wrote it
  CHECK(state_of(folder) == JobState::running);
  end(child);
  CHECK(state_of(folder) == JobState::killed);
  write_status(folder, as_json(*process, "finished"));
  CHECK(state_of(folder) == JobState::finished);
}

TEST_CASE("a process that ended and was not waited for is gone") {
  const pid_t child = sleeping_child();
  const auto process = process_with_pid(child);
  REQUIRE(process);
  CHECK(liveness(*process) == Liveness::alive);
  kill(child, SIGKILL);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  CHECK(liveness(*process) == Liveness::gone);
  waitpid(child, nullptr, 0);
}

TEST_CASE("between a launch and the first word of its trainer the launch counts") {
  const TemporaryFolder folder;
  write_status(folder, as_json({}, "stopped"));
  test::make_older(folder / "status.json");
  const pid_t child = sleeping_child();
  REQUIRE(write_launch_record(folder.path(), {RunnerKind::local, *process_with_pid(child), {}, {}, {}}));
  CHECK(state_of(folder) == JobState::starting);
  end(child);
  test::write_bytes(folder / "output.txt", "some words\nerror: bad-data: no text; give some\nmore words\n");
  const auto status = read_job_status(folder.path());
  REQUIRE(status);
  CHECK(status->state == JobState::failed);
  CHECK(status->error == "error: bad-data: no text; give some");
  CHECK(status->step == 5);

  // What stands behind the size that the launch names is this process's own; of a file made anew, all is.
  const std::string before(70'000, 'x');
  const auto error_after = [&](const std::string& own) {
    test::write_bytes(folder / "output.txt", before + "error: bad-data: of an earlier run\n" + own);
    auto launch = *read_launch_record(folder.path());
    REQUIRE(launch);
    launch->output_bytes = before.size() + 35;
    REQUIRE(write_launch_record(folder.path(), *launch));
    return read_job_status(folder.path())->error;
  };
  CHECK(error_after("words\n").find("ended before it began") != std::string::npos);
  CHECK(error_after("error: bad-data: its own\n") == "error: bad-data: its own");
  CHECK(error_after(before + "\nerror: bad-data: its own\n") == "error: bad-data: its own");
  test::write_bytes(folder / "output.txt", "error: bad-data: made anew\n");
  CHECK(read_job_status(folder.path())->error == "error: bad-data: made anew");

  test::make_older(folder / "launch.json");
  test::make_older(folder / "launch.json");
  CHECK(state_of(folder) == JobState::stopped);
  REQUIRE(write_launch_record(folder.path(), {RunnerKind::slurm, {}, "17", {}, {}}));
  CHECK(state_of(folder) == JobState::queued);
}

TEST_CASE("the trainer's folder: status, stop request, and one trainer at a time") {
  const TemporaryFolder folder;
  const auto path = folder / "job";
  {
    auto job = JobFolder::create(path);
    REQUIRE(job);
    const auto second = JobFolder::create(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == ErrorCode::bad_job);
    REQUIRE(job->write_status(JobState::running, 3, 10));
    auto status = read_job_status(path);
    REQUIRE(status);
    CHECK(status->state == JobState::running);
    CHECK(status->process == this_process());
    CHECK(status->step == 3);
    CHECK_FALSE(status->stop_requested);
    CHECK_FALSE(job->stop_request());
    REQUIRE(request_stop(path, StopMode::keep_model));
    CHECK(job->stop_request() == StopMode::keep_model);
    CHECK(read_job_status(path)->stop_requested);
    test::write_bytes(path / "stop-request.json", "nonsense");
    CHECK(job->stop_request() == StopMode::resume_later);
    REQUIRE(job->write_status(JobState::failed, 3, 10, "error: disk-full: x; y"));
    CHECK(read_job_status(path)->error == "error: disk-full: x; y");
    CHECK_FALSE(read_job_status(path)->stop_requested);
  }
  const auto again = JobFolder::create(path);
  REQUIRE(again);
  CHECK_FALSE(again->stop_request());  // what was asked of the run before
}

TEST_CASE("progress of steps that are run again is dropped, and none because it cannot be read") {
  const TemporaryFolder folder;
  const auto job = JobFolder::beside(folder.path());
  CHECK(job.rewind_progress(2));
  CHECK(folder.names().empty());
  const std::string lines = "{\"step\":1}\n{\"step\":2,\"evaluation\":{}}\nnonsense\n";
  const std::string all = lines + "{\"step\":3}\n{\"step\":4";
  test::write_bytes(folder / "progress.jsonl", all);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto unread = job.rewind_progress(2);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(unread);
  CHECK(test::read_bytes(folder / "progress.jsonl") == all);
  CHECK(job.rewind_progress(2));
  CHECK(test::read_bytes(folder / "progress.jsonl") == lines.substr(0, lines.find("nonsense")));
}

TEST_CASE("a second start that found the first one at work does not make the job a failed one") {
  const TemporaryFolder folder;
  const pid_t first = sleeping_child();
  write_status(folder, as_json(*process_with_pid(first), "running"));
  test::make_older(folder / "status.json");
  const pid_t second = sleeping_child();
  REQUIRE(write_launch_record(folder.path(), {RunnerKind::local, *process_with_pid(second), {}, {}, {}}));
  end(second);
  const auto status = read_job_status(folder.path());
  REQUIRE(status);
  CHECK(status->state == JobState::running);
  CHECK(status->process.pid == first);
  end(first);
  CHECK(state_of(folder) == JobState::failed);
}

TEST_CASE("a stop that is asked for while the trainer starts is not lost") {
  const TemporaryFolder folder;
  const auto path = folder / "job";
  std::filesystem::create_directory(path);
  test::write_bytes(path / "status.json", as_json({}, "stopped").dump());
  test::make_older(path / "status.json");
  for (const RunnerKind runner : {RunnerKind::local, RunnerKind::slurm}) {
    CAPTURE(name(runner));
    const std::string cluster_job = runner == RunnerKind::slurm ? "17" : "";
    REQUIRE(write_launch_record(path, {runner, this_process(), cluster_job, {}, {}}));
    REQUIRE(request_stop(path, StopMode::keep_model));
    const auto job = JobFolder::create(path);
    REQUIRE(job);
    CHECK(job->stop_request() == StopMode::keep_model);
  }
  // Once the trainer has spoken, what is left over is of the run before.
  test::make_older(path / "launch.json");
  test::write_bytes(path / "status.json", as_json({}, "stopped").dump());
  const auto again = JobFolder::create(path);
  REQUIRE(again);
  CHECK_FALSE(again->stop_request());
}
