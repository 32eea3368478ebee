// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/slurm_runner.h"

#include <algorithm>
#include <array>

#include "core/base/atomic_file.h"
#include "core/jobs/detached_process.h"
#include "core/jobs/job_spec.h"

namespace natscope::jobs {

namespace {

namespace fs = std::filesystem;

struct Word {
  std::string_view slurm;
  JobState state;
};

// What the trainer itself says (stopped, finished, failed with a reason) is read from status.json; these words count
// where it could not say anything.
constexpr auto words = std::to_array<Word>({
    {"PENDING", JobState::queued},      {"CONFIGURING", JobState::queued},   {"REQUEUED", JobState::queued},
    {"REQUEUE_HOLD", JobState::queued}, {"REQUEUE_FED", JobState::queued},   {"RESV_DEL_HOLD", JobState::queued},
    {"SPECIAL_EXIT", JobState::queued}, {"RUNNING", JobState::running},      {"COMPLETING", JobState::running},
    {"STAGE_OUT", JobState::running},   {"SIGNALING", JobState::running},    {"STOPPED", JobState::running},
    {"SUSPENDED", JobState::running},   {"RESIZING", JobState::running},     {"COMPLETED", JobState::finished},
    {"FAILED", JobState::failed},       {"BOOT_FAIL", JobState::failed},     {"LAUNCH_FAILED", JobState::failed},
    {"CANCELLED", JobState::killed},    {"TIMEOUT", JobState::killed},       {"DEADLINE", JobState::killed},
    {"NODE_FAIL", JobState::killed},    {"OUT_OF_MEMORY", JobState::killed}, {"PREEMPTED", JobState::killed},
    {"REVOKED", JobState::killed},      {"UPDATE_DB", JobState::running},    {"EXPEDITING", JobState::queued},
});

std::string first_line(std::string_view text) {
  std::string line(text.substr(0, text.find('\n')));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

/// What a program of Slurm's said in several lines as one that can be shown, where a line break would be escaped.
/// Without "sbatch: error: " before every one of them.
std::string one_line(std::string_view text, std::size_t most) {
  constexpr std::string_view prefixes[] = {"sbatch: ", "scancel: ", "error: ", "fatal: "};
  std::string joined;
  while (!text.empty()) {
    const std::string whole = first_line(text);
    text.remove_prefix(std::min(text.size(), std::min(text.find('\n'), text.size()) + 1));
    std::string_view line = whole;
    for (const std::string_view prefix : prefixes) {
      if (line.starts_with(prefix)) line.remove_prefix(prefix.size());
    }
    if (!line.empty()) joined.append(joined.empty() ? "" : " · ").append(line);
  }
  return printable(joined, most);
}

/// Whether sbatch met no controller, so that no other script would do better.
bool is_unreachable(std::string_view said) {
  constexpr std::string_view signs[] = {
      "contact slurm controller", "controller machine",   "configuration source", "Unknown host",
      "Connection refused",       "Connection timed out", "Socket timed out"};
  return std::any_of(std::begin(signs), std::end(signs),
                     [&](std::string_view sign) { return said.find(sign) != std::string_view::npos; });
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 20 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct ClusterWord {
  std::string word;    ///< "PENDING"; empty: the cluster does not know the job any more
  std::string detail;  ///< "Resources", a node's name, an exit code
  bool answered = false;
};

/// `WORD|DETAIL` as squeue and sacct were asked to print it.
ClusterWord word_of(const std::string& line) {
  ClusterWord result;
  result.answered = true;
  const auto bar = line.find('|');
  result.word = line.substr(0, bar);
  if (bar != std::string::npos) result.detail = line.substr(bar + 1);
  return result;
}

/// squeue knows a job until some minutes after its end; after that sacct does, where the cluster keeps accounts.
ClusterWord ask_cluster(const std::string& job) {
  const auto queue = run_for_answer({"squeue", "--noheader", "--states=all", "--format=%T|%R", "--jobs=" + job});
  if (queue && queue->exit_code == 0 && !queue->out.empty()) return word_of(first_line(queue->out));
  // "Invalid job id specified" is an answer: the job is over and forgotten.
  const bool forgotten = queue && (queue->exit_code == 0 || queue->err.find("Invalid job id") != std::string::npos);
  const auto account = run_for_answer(
      {"sacct", "--noheader", "--parsable2", "--allocations", "--format=State,ExitCode", "--jobs=" + job});
  if (account && account->exit_code == 0 && !account->out.empty()) return word_of(first_line(account->out));
  ClusterWord result;
  result.answered = forgotten;
  if (!queue) result.detail = queue.error().message;
  return result;
}

std::string text_of(const ClusterWord& cluster) {
  if (!cluster.answered) {
    return "the cluster does not answer" + (cluster.detail.empty() ? "" : ": " + printable(cluster.detail));
  }
  std::string text = cluster.word.empty() ? "not in the queue any more" : printable(cluster.word, 60);
  if (cluster.detail.empty()) return text;
  const bool bracketed = cluster.detail.front() == '(';
  return text + (bracketed ? " " : " (") + printable(cluster.detail, 100) + (bracketed ? "" : ")");
}

/// How a job ended that is over for the cluster and whose trainer never said so.
JobState end_of(const std::optional<JobState>& word, bool trainer_spoke) {
  if (word == JobState::failed) return JobState::failed;
  // A script that ends well without a word of the trainer did not run it.
  return word == JobState::finished && !trainer_spoke ? JobState::failed : JobState::killed;
}

/// A job that the cluster took but that is written down nowhere: submitting again would make it two.
Unexpected taken_back(const std::string& job, Error error) {
  const auto answer = run_for_answer({"scancel", job});
  if (answer && answer->exit_code == 0) {
    error.message += "; the job was taken back from the cluster";
    return Unexpected(std::move(error));
  }
  error.message += "; the cluster has it as Slurm job " + job + ", and did not take it back";
  error.hint = "end it before you start it again: scancel " + job;
  return Unexpected(std::move(error));
}

}  // namespace

std::optional<JobState> job_state_from_slurm(std::string_view word) {
  word = word.substr(0, word.find(' '));  // "CANCELLED by 1000"
  if (word.ends_with('+')) word.remove_suffix(1);
  for (const Word& known : words) {
    if (known.slurm == word) return known.state;
  }
  return std::nullopt;
}

Expected<void> SlurmRunner::start(const fs::path& folder) {
  NATSCOPE_TRY(const JobStatus before, observe(folder));
  if (is_active(before.state)) {
    return fail(ErrorCode::bad_job, printable(folder.string()) + " is already " + name(before.state),
                "stop it first: natscope-cli jobs stop");
  }
  if (before.state == JobState::finished) NATSCOPE_CHECK(check_startable(folder));
  NATSCOPE_TRY(const fs::path script, prepare_batch_script(folder, options_));
  // Found before the cluster has the job: nobody would know of one whose number cannot be written down.
  NATSCOPE_CHECK(check_writable_target(folder / "launch.json"));
  withdraw_stop_request(folder);
  std::vector<std::string> argv{"sbatch", "--parsable"};
  argv.insert(argv.end(), options_.sbatch_arguments.begin(), options_.sbatch_arguments.end());
  argv.push_back(script.string());
  NATSCOPE_TRY(const ProgramAnswer answer, run_for_answer(argv, std::chrono::seconds(60)));
  if (answer.exit_code != 0) {
    const std::string said = one_line(answer.err, 600);
    if (is_unreachable(answer.err)) {
      return fail(
          ErrorCode::io_failure, "no Slurm cluster answers: " + said,
          "is Slurm's controller reachable from here? sinfo shows it; the job is kept and can be started again");
    }
    return fail(ErrorCode::io_failure, "sbatch refused the job: " + said,
                "edit " + printable(script.string()) + " and start the job again");
  }
  // "JOBID" or "JOBID;CLUSTER"
  std::string job = first_line(answer.out);
  job = job.substr(0, job.find(';'));
  if (!is_number(job)) {
    return fail(ErrorCode::io_failure, "sbatch named no job but said: " + one_line(answer.out, 200));
  }
  auto recorded = write_launch_record(folder, {RunnerKind::slurm, {}, job, {}, {}});
  return recorded ? recorded : taken_back(job, std::move(recorded).error());
}

Expected<JobStatus> SlurmRunner::observe(const fs::path& folder) {
  NATSCOPE_TRY(JobStatus status, read_job_status(folder));
  const auto asks_cluster = [&] {
    return status.launch && status.launch->runner == RunnerKind::slurm && is_active(status.state);
  };
  if (!asks_cluster()) return status;
  const ClusterWord cluster = ask_cluster(status.launch->slurm_job);
  const auto word = job_state_from_slurm(cluster.word);
  const bool over = cluster.answered && (cluster.word.empty() || (word && !is_active(*word)));
  if (!over) {
    status.cluster = text_of(cluster);
    if (status.state == JobState::queued && word == JobState::running) status.state = JobState::starting;
    return status;
  }
  // The trainer may have ended while the cluster was asked: its own last word counts.
  const std::string submitted = status.launch->slurm_job;
  NATSCOPE_TRY(status, read_job_status(folder));
  if (!asks_cluster() || status.launch->slurm_job != submitted) return status;
  // Written down, because a cluster forgets its jobs after some minutes.
  LaunchRecord ended = *status.launch;
  ended.ended = end_of(word, status.state != JobState::queued);
  ended.ended_words = text_of(cluster);
  if (write_launch_record(folder, ended)) return read_job_status(folder);
  status.state = *ended.ended;  // a folder that may only be read is asked about again
  status.cluster = ended.ended_words;
  return status;
}

Expected<void> SlurmRunner::cancel(const fs::path& folder) {
  NATSCOPE_TRY(const JobStatus status, observe(folder));
  if (!is_active(status.state) || !status.launch || status.launch->slurm_job.empty()) {
    return fail(ErrorCode::bad_job, printable(folder.string()) + " is " + name(status.state) + ": nothing to end");
  }
  NATSCOPE_TRY(const ProgramAnswer answer, run_for_answer({"scancel", status.launch->slurm_job}));
  if (answer.exit_code == 0) return {};
  return fail(ErrorCode::io_failure, "scancel: " + one_line(answer.err, 400));
}

}  // namespace natscope::jobs
