// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/local_runner.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/jobs/detached_process.h"
#include "core/jobs/job_store.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::jobs;
using natscope::test::TemporaryFolder;

namespace {

using namespace std::chrono_literals;

/// A trainer that says what it was started with and stays.
std::filesystem::path stand_in(const TemporaryFolder& folder, const std::string& body) {
  const auto path = folder / "trainer";
  test::write_bytes(path, "#!/bin/sh\n" + body);
  REQUIRE(chmod(path.c_str(), 0755) == 0);
  return path;
}

std::filesystem::path new_job(const TemporaryFolder& folder, const char* name) {
  const auto job = JobStore(folder.path()).create(name, {{"kind", "train"}, {"version", 1}});
  REQUIRE(job);
  return *job;
}

template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 200; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(25ms);
  }
  return false;
}

}  // namespace

TEST_CASE("a job is started in a session of its own, with its output in its folder") {
  const TemporaryFolder folder;
  const auto program = stand_in(folder,
                                "echo \"$@\"; ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat\n"
                                "ls /proc/$$/fd | wc -l; cat; while :; do sleep 1; done\n");
  LocalRunner runner({program, {}});
  const auto job = new_job(folder, "a");
  REQUIRE(runner.start(job));
  auto status = runner.observe(job);
  REQUIRE(status);
  CHECK(status->state == JobState::starting);
  CHECK(status->process.pid > 0);
  CHECK(getsid(static_cast<pid_t>(status->process.pid)) != getsid(0));
  const auto output = [&] { return test::read_bytes(job / "output.txt"); };
  CHECK(eventually([&] { return output().find("train --job " + job.string() + " --resume\n") != std::string::npos; }));
  CHECK_FALSE(runner.start(job));  // it is active
  REQUIRE(runner.cancel(job));
  CHECK(eventually([&] { return runner.observe(job)->state == JobState::failed; }));
  CHECK_FALSE(runner.cancel(job));
}

TEST_CASE("a program that cannot run is an error of the start, and one that gives up is a failed job") {
  const TemporaryFolder folder;
  const auto job = new_job(folder, "a");
  const auto started = LocalRunner({folder / "nothing", {}}).start(job);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ErrorCode::file_not_found);

  LocalRunner runner({stand_in(folder, "echo 'error: bad-data: no text; give some' >&2; exit 3\n"), {}});
  REQUIRE(runner.start(job));
  CHECK(eventually([&] { return runner.observe(job)->state == JobState::failed; }));
  CHECK(runner.observe(job)->error == "error: bad-data: no text; give some");
  // It can be tried again, and what it said the first time is not the reason of the second.
  stand_in(folder, "exit 3\n");
  REQUIRE(runner.start(job));
  CHECK(eventually([&] { return runner.observe(job)->state == JobState::failed; }));
  CHECK(runner.observe(job)->error.find("ended before it began") != std::string::npos);
  CHECK(test::read_bytes(job / "output.txt").find("no text") != std::string::npos);
  CHECK_FALSE(runner.start(folder / "nothing"));
}

TEST_CASE("answers of programs: both streams, the exit code, and an end of patience") {
  auto answer = run_for_answer({"sh", "-c", "echo out; echo err >&2; exit 7"});
  REQUIRE(answer);
  CHECK(answer->out == "out\n");
  CHECK(answer->err == "err\n");
  CHECK(answer->exit_code == 7);
  answer = run_for_answer({"sh", "-c", "head -c 5000000 /dev/zero"});
  REQUIRE(answer);
  CHECK(answer->out.size() == (std::size_t{1} << 20));
  CHECK_FALSE(run_for_answer({"sleep", "60"}, 200ms));
  CHECK_FALSE(run_for_answer({"sh", "-c", "exec >&- 2>&-; sleep 60"}, 200ms));
  const auto missing = run_for_answer({"natscope-no-such-program"});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::file_not_found);
}
