// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/jobs/job_folder.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::jobs;
using natscope::test::TemporaryFolder;
using nlohmann::json;

namespace {

json spec_in(const std::filesystem::path& job) {
  return {{"kind", "train"}, {"version", 1}, {"steps", 10},
          {"data", "text"},  {"valid", ""},  {"out", (job / "model").string()}};
}

}  // namespace

TEST_CASE("names of jobs") {
  for (const char* good : {"a", "books-lr.5e-4", "7", "A_b"}) CHECK(check_job_name(good));
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("-a"), std::string(".a"), std::string("a/b"),
        std::string("a b"), std::string("a\nb"), std::string("ä"), std::string(101, 'a')}) {
    CAPTURE(bad);
    const auto checked = check_job_name(bad);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == ErrorCode::usage);
  }
}

TEST_CASE("a path that spec.json cannot hold is refused, and nothing is left of the job") {
  const TemporaryFolder folder;
  const JobStore store(folder / "jobs");
  json spec = spec_in(folder / "jobs/one");
  spec["data"] = "caf\xe9";
  const auto refused = store.create("one", spec);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::usage);
  CHECK(folder.names().empty());
}

TEST_CASE("a job is created whole, found by name and path, duplicated with changes, and deleted") {
  const TemporaryFolder folder;
  const JobStore store(folder / "jobs");
  const auto created = store.create("one", spec_in(folder / "jobs/one"));
  REQUIRE_MESSAGE(created, (created ? "" : created.error().message));
  CHECK(folder.names() == std::vector<std::string>{"jobs"});
  CHECK(*store.find("one") == *created);
  CHECK(*store.find(created->string()) == *created);
  CHECK(*store.find(created->string() + "/") == *created);
  const auto spec = read_job_spec(*created);
  REQUIRE(spec);
  CHECK(spec->text("data") == (std::filesystem::current_path() / "text").string());
  CHECK(spec->text("valid").empty());
  CHECK_FALSE(store.create("one", spec_in(folder.path())));
  CHECK_FALSE(store.create("two", json{{"kind", "dance"}}));

  test::write_bytes(*created / "progress.jsonl", "{}\n");
  const auto copy = store.duplicate("one", "two", std::array{JobOption{"steps", "20"}});
  REQUIRE_MESSAGE(copy, (copy ? "" : copy.error().message));
  CHECK(read_job_spec(*copy)->text("steps") == "20");
  CHECK(read_job_spec(*copy)->text("out") == (*copy / "model").string());
  CHECK_FALSE(std::filesystem::exists(*copy / "progress.jsonl"));
  CHECK(read_job_status(*copy)->state == JobState::created);
  CHECK_FALSE(store.duplicate("one", "two", {}));
  CHECK_FALSE(store.duplicate("one", "three", std::array{JobOption{"nothing", "1"}}));
  CHECK_FALSE(std::filesystem::exists(folder / "jobs/three"));

  // A link in a job is removed, what it points to is not.
  test::write_bytes(folder / "precious", "x");
  std::filesystem::create_symlink(folder / "precious", *copy / "output.txt");
  std::filesystem::create_directory_symlink(folder / "jobs/one", *copy / "exports");
  // What no job writes is somebody's: then nothing is deleted.
  test::write_bytes(*copy / "notes.md", "seen at step 10");
  const auto refused = store.remove("two");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::bad_job);
  CHECK(refused.error().message.find("notes.md") != std::string::npos);
  CHECK(std::filesystem::exists(*copy / "spec.json"));
  std::filesystem::remove(*copy / "notes.md");
  REQUIRE(store.remove("two"));
  CHECK_FALSE(std::filesystem::exists(*copy));
  CHECK(std::filesystem::exists(folder / "precious"));
  CHECK(std::filesystem::exists(*created / "spec.json"));
  CHECK_FALSE(store.remove("two"));
  CHECK_FALSE(store.remove(folder.path().string()));  // no job, so it stays
}

TEST_CASE("a job at work is not deleted") {
  const TemporaryFolder folder;
  const JobStore store(folder.path());
  REQUIRE(store.create("one", spec_in(folder / "one")));
  {
    auto job = JobFolder::create(folder / "one");
    REQUIRE(job);
    for (const JobState state : {JobState::running, JobState::stopped}) {
      // Whatever it says of itself: a process has the folder.
      REQUIRE(job->write_status(state, 1, 10));
      const auto removed = store.remove("one");
      REQUIRE_FALSE(removed);
      CHECK(removed.error().code == ErrorCode::bad_job);
    }
  }
  CHECK(store.remove("one"));
}

TEST_CASE("a job that cannot be deleted is still there") {
  const TemporaryFolder folder;
  const JobStore store(folder.path());
  const auto job = store.create("a", {{"kind", "train"}, {"version", 1}});
  REQUIRE(job);
  // Somebody else's: it can be renamed, and what is in it cannot be deleted.
  std::filesystem::create_directories(*job / "checkpoints" / "step-000001");
  test::write_bytes(*job / "checkpoints" / "step-000001" / "manifest.json", "{}");
  REQUIRE(chmod((*job / "checkpoints" / "step-000001").c_str(), 0555) == 0);
  REQUIRE(chmod(job->c_str(), 0777) == 0);
  REQUIRE(chmod(folder.path().c_str(), 0777) == 0);
  const uid_t me = geteuid();
  if (me == 0) REQUIRE(seteuid(65534) == 0);  // to whom folders are closed
  const auto removed = store.remove("a");
  if (me == 0) REQUIRE(seteuid(me) == 0);
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == ErrorCode::io_failure);
  CHECK(store.find("a"));
  REQUIRE(chmod((*job / "checkpoints" / "step-000001").c_str(), 0755) == 0);
  CHECK(store.remove("a"));
}

TEST_CASE("where jobs are kept") {
  setenv("NATSCOPE_JOBS", "/somewhere/jobs", 1);
  CHECK(default_jobs_folder() == "/somewhere/jobs");
  unsetenv("NATSCOPE_JOBS");
  setenv("XDG_DATA_HOME", "/data", 1);
  CHECK(default_jobs_folder() == "/data/natscope/jobs");
  setenv("XDG_DATA_HOME", "relative", 1);
  setenv("HOME", "/home/somebody", 1);
  CHECK(default_jobs_folder() == "/home/somebody/.local/share/natscope/jobs");
  unsetenv("XDG_DATA_HOME");
}

TEST_CASE("a job is not deleted under its trainer, whatever its status says") {
  const TemporaryFolder folder;
  const JobStore store(folder.path());
  const auto created = store.create("one", spec_in(folder / "one"));
  REQUIRE(created);
  for (const char* status : {"nonsense", R"({"state":"running","pid":1,"process_started":1})"}) {
    CAPTURE(status);
    const auto trainer = JobFolder::create(*created);
    REQUIRE(trainer);
    test::write_bytes(*created / "status.json", status);
    const auto removed = store.remove("one");
    REQUIRE_FALSE(removed);
    CHECK(removed.error().code == ErrorCode::bad_job);
    CHECK(std::filesystem::exists(*created / "spec.json"));
  }
  REQUIRE(store.remove("one"));
  CHECK_FALSE(std::filesystem::exists(*created));
}
