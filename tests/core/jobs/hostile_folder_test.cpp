// SPDX-License-Identifier: GPL-3.0-or-later
/// Job folders from strangers: every file broken in turn gets an error that names it, and nothing else happens.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "core/base/file_lock.h"
#include "core/jobs/checkpoint_list.h"
#include "core/jobs/job_file.h"
#include "core/jobs/job_folder.h"
#include "core/jobs/job_progress.h"
#include "core/jobs/job_spec.h"
#include "core/jobs/job_status.h"
#include "core/jobs/job_store.h"
#include "core/jobs/local_runner.h"
#include "core/jobs/process_identity.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::jobs;
using natscope::test::TemporaryFolder;

namespace {

const std::string good_spec = R"({"kind":"train","version":1,"steps":10})";
const std::string good_status = R"({"state":"finished","pid":1,"step":10,"steps":10,"updated":"2026-01-31T12:00:00Z"})";

struct Case {
  const char* file;
  std::string text;
  ErrorCode code;
  const char* named;
};

/// The error of whichever reader meets it.
Error error_of(const std::filesystem::path& folder) {
  if (const auto spec = read_job_spec(folder); !spec) return spec.error();
  if (const auto status = read_job_status(folder); !status) return status.error();
  return {};
}

}  // namespace

TEST_CASE("broken spec, status and launch files are refused by name") {
  const std::string deep(5000, '[');
  const std::vector<Case> table{
      {"spec.json", "", ErrorCode::bad_job, "spec.json"},
      {"spec.json", "nonsense", ErrorCode::bad_job, "spec.json"},
      {"spec.json", "[]", ErrorCode::bad_job, "no JSON object"},
      {"spec.json", "{}", ErrorCode::bad_job, "kind"},
      {"spec.json", R"({"kind":"dance","version":1})", ErrorCode::bad_job, "kind"},
      {"spec.json", R"({"kind":7,"version":1})", ErrorCode::bad_job, "kind"},
      {"spec.json", R"({"kind":"train"})", ErrorCode::bad_job, "version"},
      {"spec.json", R"({"kind":"train","version":2})", ErrorCode::bad_job, "version"},
      {"spec.json", R"({"kind":"train","version":1,"steps":{"a":1}})", ErrorCode::bad_job, "steps"},
      {"spec.json", R"({"kind":"train","version":1,"steps":[[1]]})", ErrorCode::bad_job, "steps"},
      {"spec.json", R"({"kind":"train","version":1,"a":1,"a":2})", ErrorCode::bad_job, "twice"},
      {"spec.json", good_spec + std::string(1, '\0'), ErrorCode::bad_job, "zero byte"},
      {"spec.json", deep, ErrorCode::bad_job, "deeper"},
      {"spec.json", std::string(std::size_t{2} << 20, ' '), ErrorCode::file_too_large, "spec.json"},
      {"status.json", "", ErrorCode::bad_job, "status.json"},
      {"status.json", "{", ErrorCode::bad_job, "status.json"},
      {"status.json", "[]", ErrorCode::bad_job, "status.json"},
      {"status.json", "{}", ErrorCode::bad_job, "state"},
      {"status.json", R"({"state":"dancing"})", ErrorCode::bad_job, "state"},
      {"status.json", R"({"state":7})", ErrorCode::bad_job, "state"},
      {"status.json", R"({"state":"running","pid":-1})", ErrorCode::bad_job, "pid"},
      {"status.json", R"({"state":"running","pid":"1"})", ErrorCode::bad_job, "pid"},
      {"status.json", R"({"state":"running","step":1.5})", ErrorCode::bad_job, "step"},
      {"status.json", R"({"state":"running","steps":99999999999999999999})", ErrorCode::bad_job, "steps"},
      {"status.json", R"({"state":"failed","error":["x"]})", ErrorCode::bad_job, "error"},
      {"status.json", R"({"state":"running","host":")" + std::string(300, 'h') + "\"}", ErrorCode::bad_job, "host"},
      {"status.json", std::string(std::size_t{1} << 20, ' '), ErrorCode::file_too_large, "status.json"},
      {"launch.json", "nonsense", ErrorCode::bad_job, "launch.json"},
      {"launch.json", "{}", ErrorCode::bad_job, "runner"},
      {"launch.json", R"({"runner":"magic"})", ErrorCode::bad_job, "runner"},
      {"launch.json", R"({"runner":"slurm"})", ErrorCode::bad_job, "slurm_job"},
      {"launch.json", R"({"runner":"slurm","slurm_job":"--all"})", ErrorCode::bad_job, "slurm_job"},
      {"launch.json", R"({"runner":"slurm","slurm_job":"1,2"})", ErrorCode::bad_job, "slurm_job"},
      {"launch.json", R"({"runner":"slurm","slurm_job":"17","ended":"running"})", ErrorCode::bad_job, "ended"},
      {"launch.json", R"({"runner":"slurm","slurm_job":"17","ended":"dancing"})", ErrorCode::bad_job, "ended"},
      {"launch.json", R"({"runner":"slurm","slurm_job":17})", ErrorCode::bad_job, "slurm_job"},
  };
  for (const Case& wrong : table) {
    CAPTURE(wrong.file);
    CAPTURE(wrong.text.substr(0, 100));
    const TemporaryFolder folder;
    test::write_bytes(folder / "spec.json", good_spec);
    test::write_bytes(folder / "status.json", good_status);
    test::write_bytes(folder / wrong.file, wrong.text);
    const Error error = error_of(folder.path());
    CHECK(error.code == wrong.code);
    CHECK_MESSAGE(error.message.find(wrong.named) != std::string::npos, error.message);
  }
}

TEST_CASE("links, pipes and folders in the place of files are refused without waiting") {
  const TemporaryFolder folder;
  test::write_bytes(folder / "secret", good_spec);
  const std::vector<std::pair<const char*, std::function<void(const std::filesystem::path&)>>> kinds{
      {"link", [&](const auto& path) { std::filesystem::create_symlink(folder / "secret", path); }},
      {"link to a device", [](const auto& path) { std::filesystem::create_symlink("/dev/zero", path); }},
      {"pipe", [](const auto& path) { REQUIRE(mkfifo(path.c_str(), 0600) == 0); }},
      {"folder", [](const auto& path) { std::filesystem::create_directory(path); }}};
  int number = 0;
  for (const auto& [kind, make] : kinds) {
    for (const char* file : {"spec.json", "status.json", "launch.json", "progress.jsonl", "log.txt"}) {
      CAPTURE(kind);
      CAPTURE(file);
      const auto job = folder / ("job" + std::to_string(number++));
      std::filesystem::create_directory(job);
      if (std::string_view(file) != "spec.json") test::write_bytes(job / "spec.json", good_spec);
      make(job / file);
      Error error = error_of(job);
      if (std::string_view(file) == "progress.jsonl") {
        const auto news = ProgressFollower(job).poll();
        REQUIRE_FALSE(news);
        error = news.error();
      } else if (std::string_view(file) == "log.txt") {
        const auto news = FollowedFile(job / "log.txt").poll();
        REQUIRE_FALSE(news);
        error = news.error();
      }
      CHECK(error.code == ErrorCode::not_a_regular_file);
      CHECK(error.message.find(file) != std::string::npos);
    }
  }
}

TEST_CASE("a trainer does not begin in a folder where links, pipes and folders stand for its files") {
  const TemporaryFolder folder;
  test::write_bytes(folder / "precious", "not ours\n");
  const std::vector<std::function<void(const std::filesystem::path&)>> kinds{
      [&](const auto& path) { std::filesystem::create_symlink(folder / "precious", path); },
      [](const auto& path) { REQUIRE(mkfifo(path.c_str(), 0600) == 0); },
      [](const auto& path) { std::filesystem::create_directory(path); }};
  int number = 0;
  for (const auto& make : kinds) {
    for (const char* file :
         {".lock", ".reserve", "spec.json", "status.json", "progress.jsonl", "log.txt", "tokenizer.model",
          "train.tokens", "valid.tokens", "model.safetensors", "config.json", "generation_config.json",
          "tokenizer.json", "adapter.safetensors", "adapter_config.json"}) {
      CAPTURE(file);
      const auto job = folder / ("job" + std::to_string(number++));
      std::filesystem::create_directory(job);
      make(job / file);
      const auto begun = JobFolder::create(job);
      REQUIRE_FALSE(begun);
      CHECK(begun.error().code == ErrorCode::not_a_regular_file);
      CHECK(begun.error().message.find(file) != std::string::npos);
    }
  }
  CHECK(test::read_bytes(folder / "precious") == "not ours\n");
  // Checkpoints are deleted when there are newer ones: not where a link leads.
  for (const char* name : {"checkpoints", "model", "exports"}) {
    const auto job = folder / (std::string("with-a-link-for-") + name);
    std::filesystem::create_directory(job);
    std::filesystem::create_directory_symlink(folder.path(), job / name);
    const auto begun = JobFolder::create(job);
    REQUIRE_FALSE(begun);
    CHECK(begun.error().code == ErrorCode::not_a_regular_file);
  }
  const auto plain = folder / "plain";
  REQUIRE(JobFolder::create(plain));
  CHECK(JobFolder::create(plain));
}

TEST_CASE("asking a job to stop does not write into the file that a link names") {
  const TemporaryFolder folder;
  test::write_bytes(folder / "precious", "not ours\n");
  std::filesystem::create_directory(folder / "job");
  std::filesystem::create_symlink(folder / "precious", folder / "job/stop-request.json");
  REQUIRE(request_stop(folder / "job", StopMode::keep_model));
  CHECK(stop_request(folder / "job") == StopMode::keep_model);
  CHECK(test::read_bytes(folder / "precious") == "not ours\n");
}

TEST_CASE("a process that a job folder merely names is not ended") {
  const TemporaryFolder folder;
  test::write_bytes(folder / "spec.json", good_spec);
  const pid_t stranger = fork();
  if (stranger == 0) {
    pause();
    _exit(0);
  }
  REQUIRE(stranger > 0);
  test::write_bytes(folder / "status.json", R"({"state":"running","pid":)" + std::to_string(stranger) +
                                                R"(,"step":4,"steps":6,"updated":"2026-01-31T12:00:00Z"})");
  LocalRunner runner({});
  REQUIRE(runner.observe(folder.path())->state == JobState::running);
  const auto ended = runner.cancel(folder.path());
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::bad_job);
  CHECK(kill(stranger, 0) == 0);
  CHECK(waitpid(stranger, nullptr, WNOHANG) == 0);  // it lives

  // One that holds the folder's lock is at work in it.
  const auto held = try_lock(folder / ".lock");
  REQUIRE(held);
  const pid_t trainer = fork();
  if (trainer == 0) {
    pause();
    _exit(0);
  }
  REQUIRE(trainer > 0);
  CHECK(is_at_work_in(trainer, folder.path()));
  for (const pid_t child : {stranger, trainer}) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
}

TEST_CASE("a list shows a folder that cannot be read beside those that can") {
  const TemporaryFolder folder;
  for (const char* name : {"good", "bad", "empty", ".hidden"}) std::filesystem::create_directory(folder / name);
  test::write_bytes(folder / "good/spec.json", good_spec);
  test::write_bytes(folder / ".hidden/spec.json", good_spec);
  test::write_bytes(folder / "bad/spec.json", "nonsense");
  test::write_bytes(folder / "file", "x");
  const auto jobs = JobStore(folder.path()).list();
  REQUIRE(jobs);
  REQUIRE(jobs->size() == 2);
  for (const JobEntry& job : *jobs) CHECK(job.problem.has_value() == (job.name == "bad"));
  CHECK(JobStore(folder / "nothing").list()->empty());
  CHECK_FALSE(JobStore(folder / "file").list());
}

TEST_CASE("names in the checkpoints folder count only when they are checkpoints") {
  const TemporaryFolder folder;
  for (const char* name : {"step-000020", "step-000100", "step-1000000", "step-20", "step--00001", "step-000020x",
                           "step-0000020", ".unfinished-step-000040-1"}) {
    std::filesystem::create_directory(folder / name);
  }
  test::write_bytes(folder / "step-000060", "a file");
  std::filesystem::create_directory_symlink("/", folder / "step-000080");
  std::vector<std::int64_t> steps;
  for (const auto& entry : list_checkpoints(folder.path())) steps.push_back(entry.step);
  CHECK(steps == std::vector<std::int64_t>{1000000, 100, 20});
}
