// SPDX-License-Identifier: GPL-3.0-or-later
/// The Slurm runner against programs that answer as Slurm's do; tests/app/cli/slurm_test.py has the real ones.
#include "core/jobs/slurm_runner.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/jobs/job_store.h"
#include "core/jobs/observe_jobs.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::jobs;
using natscope::test::TemporaryFolder;

namespace {

/// sbatch, squeue, sacct and scancel in front of everything else on PATH, for one scope.
class Cluster {
 public:
  explicit Cluster(const TemporaryFolder& folder) : folder_(folder), path_(std::getenv("PATH")) {
    std::filesystem::create_directory(folder / "bin");
    setenv("PATH", ((folder / "bin").string() + ":" + path_).c_str(), 1);
    answer("sacct", "exit 1");
  }
  ~Cluster() { setenv("PATH", path_.c_str(), 1); }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void answer(const std::string& program, const std::string& body) const {
    const auto path = folder_ / ("bin/" + program);
    test::write_bytes(path, "#!/bin/sh\n" + body + "\n");
    REQUIRE(chmod(path.c_str(), 0755) == 0);
  }

 private:
  const TemporaryFolder& folder_;
  std::string path_;
};

}  // namespace

TEST_CASE("Slurm's words for a job") {
  const std::vector<std::pair<const char*, JobState>> table{
      {"PENDING", JobState::queued},       {"CONFIGURING", JobState::queued}, {"RUNNING", JobState::running},
      {"COMPLETING", JobState::running},   {"SUSPENDED", JobState::running},  {"COMPLETED", JobState::finished},
      {"FAILED", JobState::failed},        {"CANCELLED", JobState::killed},   {"CANCELLED by 1000", JobState::killed},
      {"CANCELLED+", JobState::killed},    {"TIMEOUT", JobState::killed},     {"NODE_FAIL", JobState::killed},
      {"OUT_OF_MEMORY", JobState::killed}, {"PREEMPTED", JobState::killed},   {"BOOT_FAIL", JobState::failed}};
  for (const auto& [word, state] : table) {
    CAPTURE(word);
    REQUIRE(job_state_from_slurm(word));
    CHECK(*job_state_from_slurm(word) == state);
  }
  for (const char* none : {"", "DANCING", "pending"}) CHECK_FALSE(job_state_from_slurm(none));
}

TEST_CASE("submit, wait, lose and cancel") {
  const TemporaryFolder folder;
  const Cluster cluster(folder);
  const auto job = JobStore(folder.path()).create("job", {{"kind", "train"}, {"version", 1}, {"threads", 3}});
  REQUIRE(job);
  SlurmRunner runner({"/opt/natscope/bin/natscope-cli", {"--partition=gpu"}});

  cluster.answer("sbatch", "echo 'invalid partition' >&2; exit 1");
  auto started = runner.start(*job);
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("invalid partition") != std::string::npos);
  CHECK(read_job_status(*job)->state == JobState::created);

  CHECK(started.error().message == "sbatch refused the job: invalid partition");
  CHECK(started.error().hint.starts_with("edit "));

  // Several lines are one, each without the program's name; and no script helps where no cluster is.
  cluster.answer("sbatch",
                 "echo 'sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host' >&2\n"
                 "echo 'sbatch: fatal: Could not establish a configuration source' >&2; exit 1");
  started = runner.start(*job);
  REQUIRE_FALSE(started);
  CHECK(started.error().message ==
        "no Slurm cluster answers: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host · Could not establish a "
        "configuration source");
  CHECK(started.error().hint.find("sinfo") != std::string::npos);
  CHECK(started.error().hint.find("edit") == std::string::npos);

  cluster.answer("sbatch", "echo Submitted batch job 17");
  CHECK_FALSE(runner.start(*job));  // not what --parsable prints

  cluster.answer("sbatch", "echo \"$@\" > " + (folder / "arguments").string() + "; echo '17;here'");
  cluster.answer("squeue", "echo '17|PENDING|(Resources)'");
  REQUIRE(runner.start(*job));
  CHECK(test::read_bytes(folder / "arguments") == "--parsable --partition=gpu " + (*job / "slurm.sh").string() + "\n");
  const std::string script = test::read_bytes(*job / "slurm.sh");
  CHECK(script.find("\n#SBATCH --job-name=job\n") != std::string::npos);
  CHECK(script.find("#SBATCH --cpus-per-task=3\n") != std::string::npos);
  // A job that is started again, without the argument, still finds its partition.
  CHECK(script.find("\n#SBATCH --partition=gpu\n") != std::string::npos);
  CHECK(script.find("/opt/natscope/bin/natscope-cli train --job " + job->string() + " --resume &\n") !=
        std::string::npos);

  auto status = runner.observe(*job);
  REQUIRE(status);
  CHECK(status->state == JobState::queued);
  CHECK(status->cluster == "PENDING (Resources)");
  CHECK(status->launch->slurm_job == "17");
  CHECK_FALSE(runner.start(*job));

  cluster.answer("squeue", "echo '17|RUNNING|node7'");
  CHECK(runner.observe(*job)->state == JobState::starting);
  test::make_older(*job / "launch.json");
  test::write_bytes(*job / "status.json", R"({"state":"running","pid":5,"host":"node7","step":3,"steps":9})");
  CHECK(runner.observe(*job)->state == JobState::running);

  cluster.answer("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1");
  status = runner.observe(*job);
  CHECK(status->state == JobState::running);
  CHECK(status->cluster.find("does not answer") != std::string::npos);

  cluster.answer("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
  cluster.answer("sacct", "echo '17|OUT_OF_MEMORY|0:125'");
  CHECK(runner.observe(*job)->state == JobState::killed);
  cluster.answer("sacct", "exit 1");  // forgotten by the cluster, remembered by the folder
  status = read_job_status(*job);
  CHECK(status->state == JobState::killed);
  CHECK(status->cluster == "OUT_OF_MEMORY (0:125)");

  test::make_older(*job / "launch.json");
  test::write_bytes(*job / "status.json", R"({"state":"stopped","step":3,"steps":9})");
  CHECK(runner.observe(*job)->state == JobState::stopped);  // the trainer's own word
  CHECK_FALSE(runner.cancel(*job));
}

TEST_CASE("a job whose number cannot be written down does not stay with the cluster, or is named") {
  const TemporaryFolder folder;
  const Cluster cluster(folder);
  const auto job = JobStore(folder.path()).create("job", {{"kind", "train"}, {"version", 1}});
  REQUIRE(job);
  SlurmRunner runner({"/opt/natscope/bin/natscope-cli", {}});
  const std::string taken = (folder / "taken").string();
  cluster.answer("sbatch", "mkdir " + (*job / "launch.json").string() + "; echo 17");
  cluster.answer("scancel", "echo \"$@\" >> " + taken);
  auto started = runner.start(*job);
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("taken back") != std::string::npos);
  CHECK(test::read_bytes(taken) == "17\n");

  std::filesystem::remove(*job / "launch.json");
  cluster.answer("scancel", "exit 1");
  started = runner.start(*job);
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find("Slurm job 17") != std::string::npos);
  CHECK(started.error().hint.find("scancel 17") != std::string::npos);
}

TEST_CASE("a cluster is asked once for all jobs of a list, and waited for until somebody stops") {
  const TemporaryFolder folder;
  const Cluster cluster(folder);
  const JobStore store(folder / "jobs");
  for (const char* const number : {"7", "17", "170", "18", "19"}) {
    const auto job = store.create(std::string("job-") + number, {{"kind", "train"}, {"version", 1}});
    REQUIRE(job);
    REQUIRE(write_launch_record(*job, {RunnerKind::slurm, {}, number, {}, {}}));
  }
  REQUIRE(store.create("described", {{"kind", "train"}, {"version", 1}}));
  const auto asked = [&] { return test::read_bytes(folder / "asked"); };
  const std::string note = "echo \"$(basename $0) $@\" >> " + (folder / "asked").string() + "; ";
  const auto observed = [&](const StopToken& stop) {
    auto entries = store.list();
    REQUIRE(entries);
    const auto done = observe_jobs(*entries, stop);
    std::map<std::string, std::string> words;
    for (const JobEntry& entry : *entries)
      words[entry.name] = std::string(name(entry.status.state)) + ": " + entry.status.cluster;
    return std::pair(done, words);
  };

  // Slow, and interrupted: nothing is known, nobody waited.
  cluster.answer("squeue", note + "exec sleep 20");
  cluster.answer("sacct", note + "exec sleep 20");
  StopSource stop;
  const auto begun = std::chrono::steady_clock::now();
  std::thread stopping([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop.request_stop();
  });
  const auto stopped = observed(stop.get_token());
  stopping.join();
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
  REQUIRE_FALSE(stopped.first);
  CHECK(stopped.first.error().code == ErrorCode::interrupted);
  CHECK(stopped.second.at("job-17") == "queued: ");
  std::filesystem::remove(folder / "asked");

  cluster.answer("squeue", note + "echo '18|RUNNING|node7'; echo '17|PENDING|(Priority)'; echo '7|RUNNING|node1'");
  cluster.answer("sacct", note + "echo '19|TIMEOUT|0:0'; echo '170_1|CANCELLED by 1000|0:9'");
  const std::map<std::string, std::string> expected{{"described", "created: "},
                                                    {"job-17", "queued: PENDING (Priority)"},
                                                    {"job-170", "killed: CANCELLED by 1000 (0:9)"},
                                                    {"job-18", "starting: RUNNING (node7)"},
                                                    {"job-19", "killed: TIMEOUT (0:0)"},
                                                    {"job-7", "starting: RUNNING (node1)"}};
  CHECK(observed({}).second == expected);
  CHECK(asked() ==
        "squeue --noheader --states=all --format=%F|%T|%R --jobs=17,170,18,19,7\n"
        "sacct --noheader --parsable2 --allocations --format=JobID,State,ExitCode --jobs=170,19\n");
  CHECK(observed({}).second == expected);  // what is over is not asked about again
  CHECK(asked().ends_with("--jobs=17,18,7\n"));

  // A squeue that refuses them all because it has forgotten one.
  cluster.answer("squeue",
                 "case $4 in *17) echo '17|RUNNING|node2';;\n"
                 "*) echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1;; esac");
  cluster.answer("sacct", "exit 1");
  auto now = expected;
  now["job-17"] = "starting: RUNNING (node2)";
  now["job-18"] = now["job-7"] = "killed: not in the queue any more";
  CHECK(observed({}).second == now);
}

TEST_CASE("a batch script is written once and then belongs to its user") {
  const TemporaryFolder folder;
  const auto job = JobStore(folder.path()).create("job", {{"kind", "train"}, {"version", 1}});
  REQUIRE(job);
  const auto script = prepare_batch_script(*job);
  REQUIRE(script);
  test::write_bytes(*script, "#!/bin/sh\nmine\n");
  REQUIRE(prepare_batch_script(*job));
  CHECK(test::read_bytes(*script) == "#!/bin/sh\nmine\n");

  // Blanks, quotes and per cent signs in a path.
  const auto odd = folder / "it's 100 % $HOME";
  std::filesystem::create_directory(odd);
  test::write_bytes(odd / "spec.json", R"({"kind":"train","version":1})");
  const auto odd_script = prepare_batch_script(odd, {"/bin/echo", {}});
  REQUIRE(odd_script);
  const std::string text = test::read_bytes(*odd_script);
  CHECK(text.find("\n#SBATCH --job-name=it-s-100-HOME\n") != std::string::npos);
  CHECK(text.find("--output=\"" + (folder / "it's 100 %% $HOME/output.txt").string() + "\"") != std::string::npos);
  CHECK(std::system(("bash '" + (folder / "it'\\''s 100 % $HOME/slurm.sh").string() + "' > '" +
                     (folder / "said").string() + "'")
                        .c_str()) == 0);
  CHECK(test::read_bytes(folder / "said") == "train --job " + odd.string() + " --resume\n");
}

TEST_CASE("no name of a folder adds a line or an option to a batch script") {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> table{{"books.lr_2-a", "books.lr_2-a"},
                                                               {"a --wrap=id", "a---wrap-id"},
                                                               {"%u$(id)`id`;#", "u-id-id"},
                                                               {"tab\tand 'quotes'", "tab-and-quotes"},
                                                               {"ä€", "natscope"},
                                                               {std::string(200, 'x'), std::string(100, 'x')}};
  for (const auto& [name, expected] : table) {
    CAPTURE(name);
    const auto job = folder / name;
    std::filesystem::create_directory(job);
    test::write_bytes(job / "spec.json", R"({"kind":"train","version":1})");
    for (const auto& path : {job, job / ""}) {  // with a slash at its end, too
      std::filesystem::remove(job / "slurm.sh");
      const auto script = prepare_batch_script(path);
      REQUIRE(script);
      const std::string text = test::read_bytes(*script);
      CHECK(text.find("\n#SBATCH --job-name=" + expected + "\n") != std::string::npos);
    }
  }
}

TEST_CASE("a job on GPUs asks for one for each of its processes") {
  const TemporaryFolder folder;
  const auto script_of = [&](const char* name, int ranks) {
    const auto job =
        JobStore(folder.path()).create(name, {{"kind", "train"}, {"version", 1}, {"device", "cuda"}, {"ranks", ranks}});
    REQUIRE(job);
    return test::read_bytes(*prepare_batch_script(*job));
  };
  CHECK(script_of("one", 1).find("\n#SBATCH --gres=gpu:1\n") != std::string::npos);
  const std::string several = script_of("several", 4);
  CHECK(several.find("\n#SBATCH --gpus-per-task=1\n") != std::string::npos);
  CHECK(several.find("--gres") == std::string::npos);
}

TEST_CASE("no option of a job adds a line to a batch script") {
  const TemporaryFolder folder;
  test::write_bytes(folder / "spec.json",
                    R"({"kind":"train","version":1,"threads":"2\ntouch stranger\n","ranks":"2\ntouch stranger"})");
  const auto script = prepare_batch_script(folder.path());
  REQUIRE(script);
  const std::string text = test::read_bytes(*script);
  CHECK(text.find("stranger") == std::string::npos);
  CHECK(text.find("\n#SBATCH --ntasks=1\n") != std::string::npos);
}
