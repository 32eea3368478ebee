// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/slurm_runner.h"

#include <algorithm>

#include "core/base/atomic_file.h"
#include "core/jobs/detached_process.h"
#include "core/jobs/job_spec.h"
#include "core/jobs/slurm_queue.h"

namespace natscope::jobs {

namespace {

namespace fs = std::filesystem;

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

bool is_with_cluster(const JobStatus& status) {
  return status.launch && status.launch->runner == RunnerKind::slurm && is_active(status.state);
}

Expected<JobStatus> with_word_of_cluster(const fs::path& folder, JobStatus status, const ClusterWord& cluster) {
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
  if (!is_with_cluster(status) || status.launch->slurm_job != submitted) return status;
  // Written down, because a cluster forgets its jobs after some minutes.
  LaunchRecord ended = *status.launch;
  ended.ended = end_of(word, status.state != JobState::queued);
  ended.ended_words = text_of(cluster);
  if (write_launch_record(folder, ended)) return read_job_status(folder);
  status.state = *ended.ended;  // a folder that may only be read is asked about again
  status.cluster = ended.ended_words;
  return status;
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
  if (!is_with_cluster(status)) return status;
  const std::string job = status.launch->slurm_job;
  return with_word_of_cluster(folder, std::move(status), ask_cluster({job}).at(job));
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
