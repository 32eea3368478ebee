// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/slurm_queue.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "core/jobs/detached_process.h"

namespace natscope::jobs {

namespace {

using Words = std::map<std::string, ClusterWord>;
constexpr auto patience = std::chrono::seconds(20);

struct Word {
  std::string_view slurm;
  JobState state;
};

// What the trainer itself says (stopped, finished, failed with a reason) is read from status.json; these words count
// where it could not say anything.
constexpr auto known_words = std::to_array<Word>({
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

/// The numbers of the jobs that have no word yet, as squeue and sacct take them.
std::string without_word(const Words& words) {
  std::string list;
  for (const auto& [job, word] : words) {
    if (word.word.empty()) list += (list.empty() ? "" : ",") + job;
  }
  return list;
}

/// Lines `JOB|WORD|DETAIL`. Of several of one job ("17_3" and "17+1" are parts of 17) the first one counts.
void take(std::string_view answer, Words& words) {
  while (!answer.empty()) {
    std::string_view line = answer.substr(0, answer.find('\n'));
    answer.remove_prefix(std::min(answer.size(), line.size() + 1));
    while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
    const auto bar = line.find('|');
    if (bar == std::string_view::npos) continue;
    const auto found = words.find(std::string(line.substr(0, line.find_first_not_of("0123456789"))));
    if (found == words.end() || !found->second.word.empty()) continue;
    line.remove_prefix(bar + 1);
    const auto second = line.find('|');
    found->second.word = line.substr(0, second);
    if (second != std::string_view::npos) found->second.detail = line.substr(second + 1);
    found->second.answered = true;
  }
}

}  // namespace

std::optional<JobState> job_state_from_slurm(std::string_view word) {
  word = word.substr(0, word.find(' '));  // "CANCELLED by 1000"
  if (word.ends_with('+')) word.remove_suffix(1);
  for (const Word& known : known_words) {
    if (known.slurm == word) return known.state;
  }
  return std::nullopt;
}

Words ask_cluster(const std::set<std::string>& jobs, const StopToken& stop) {
  Words words;
  for (const std::string& job : jobs) words[job];
  if (jobs.empty()) return words;
  // It knows a job until some minutes after its end.
  const auto queue = run_for_answer(
      {"squeue", "--noheader", "--states=all", "--format=%F|%T|%R", "--jobs=" + without_word(words)}, patience, stop);
  const bool is_refused = queue && queue->exit_code != 0 && queue->err.find("Invalid job id") != std::string::npos;
  if (is_refused && jobs.size() > 1) {
    // One that is forgotten must not hide the others.
    for (const std::string& job : jobs) words[job] = ask_cluster({job}, stop).at(job);
    return words;
  }
  if (queue && queue->exit_code == 0) take(queue->out, words);
  if (without_word(words).empty()) return words;
  // After that the accounts do, where the cluster keeps some.
  const auto account = run_for_answer({"sacct", "--noheader", "--parsable2", "--allocations",
                                       "--format=JobID,State,ExitCode", "--jobs=" + without_word(words)},
                                      patience, stop);
  if (account && account->exit_code == 0) take(account->out, words);
  for (auto& [job, word] : words) {
    if (!word.word.empty()) continue;
    // Not to know a job is an answer: it is over and forgotten.
    word.answered = queue && (queue->exit_code == 0 || is_refused);
    if (!queue) word.detail = queue.error().message;
  }
  return words;
}

}  // namespace natscope::jobs
