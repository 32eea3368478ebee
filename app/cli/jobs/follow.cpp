// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/jobs/follow.h"

#include <chrono>
#include <cstdio>
#include <deque>
#include <thread>

#include "app/cli/invocation.h"
#include "app/cli/jobs/job_report.h"
#include "app/cli/terminal/step_line.h"
#include "core/base/cancel.h"
#include "core/jobs/job_file.h"
#include "core/jobs/job_progress.h"

namespace natscope {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto look_every = 200ms;
constexpr std::uint64_t tail_bytes = std::uint64_t{1} << 20;

Expected<void> pause(const std::stop_token& stop) {
  std::this_thread::sleep_for(look_every);
  return check(stop);
}

Expected<void> outcome(const jobs::JobEntry& job) {
  using jobs::JobState;
  if (job.status.state != JobState::failed && job.status.state != JobState::killed) return {};
  return fail(ErrorCode::bad_job,
              printable(job.name) + " " + (job.status.state == JobState::failed ? "failed" : "was killed") +
                  " after step " + std::to_string(job.status.step) +
                  (job.status.error.empty() ? "" : ": " + job.status.error),
              "natscope-cli jobs resume goes on from its last checkpoint");
}

}  // namespace

Expected<void> follow_progress(const std::filesystem::path& folder, const std::stop_token& stop) {
  jobs::ClusterWatch cluster;
  jobs::ProgressFollower follower(folder);
  StepLine line;
  std::string state;
  for (bool first = true;; first = false) {
    // The state before the points: what was written before the end is then read, too.
    NATSCOPE_TRY(const auto job, observe_job(folder, cluster, stop));
    std::string now = name(job.status.state);
    if (!job.status.cluster.empty()) now += " (" + job.status.cluster + ")";
    if (job.status.stop_requested) now += ", ends after this step";
    if (now != state) {
      line.end();
      std::fprintf(stderr, "%s: %s\n", printable(job.name).c_str(), now.c_str());
      state = now;
    }
    for (bool more = true; more;) {
      NATSCOPE_TRY(const auto news, follower.poll());
      // Of what was there before, the last step says it all.
      for (std::size_t i = 0; i < news.points.size(); ++i) {
        const bool is_step = std::holds_alternative<jobs::StepPoint>(news.points[i]);
        if (is_step && first && (news.more || i + 1 < news.points.size())) continue;
        if (!is_step) line.end();
        line.draw(point_line(news.points[i], job.status.steps, job.spec.kind));
        if (!is_step) line.end();
      }
      more = news.more;
    }
    if (!is_active(job.status.state)) {
      line.end();
      return outcome(job);
    }
    if (auto going_on = pause(stop); !going_on) {
      line.end();
      return fail(ErrorCode::interrupted, "no longer following; the job goes on", "natscope-cli jobs stop ends it");
    }
  }
}

namespace {

/// The last lines of what is there; `log` goes on behind them.
Expected<std::deque<std::string>> read_last(jobs::FollowedFile& log, std::size_t lines) {
  log.begin_near_end(tail_bytes);
  std::deque<std::string> last;
  for (bool more = true; more;) {
    NATSCOPE_TRY(auto news, log.poll());
    for (std::string& text : news.lines) {
      last.push_back(std::move(text));
      if (last.size() > lines) last.pop_front();
    }
    more = news.more;
  }
  return last;
}

}  // namespace

Expected<std::vector<std::string>> last_lines(const std::filesystem::path& folder, const char* file,
                                              std::size_t lines) {
  jobs::FollowedFile log(folder / file);
  NATSCOPE_TRY(const auto last, read_last(log, lines));
  std::vector<std::string> printed;
  for (const std::string& text : last) printed.push_back(printable(text, 16384));
  return printed;
}

Expected<void> print_log(const std::filesystem::path& folder, const char* file, std::size_t lines, bool follow,
                         const std::stop_token& stop) {
  jobs::FollowedFile log(folder / file);
  NATSCOPE_TRY(const auto last, read_last(log, lines));
  for (const std::string& text : last) NATSCOPE_CHECK(print_text(printable(text, 16384) + "\n"));
  jobs::ClusterWatch cluster;
  while (follow) {
    NATSCOPE_TRY(const auto job, observe_job(folder, cluster, stop));
    for (bool more = true; more;) {
      NATSCOPE_TRY(const auto news, log.poll());
      for (const std::string& text : news.lines) NATSCOPE_CHECK(print_text(printable(text, 16384) + "\n"));
      more = news.more;
    }
    if (!is_active(job.status.state)) return {};
    NATSCOPE_CHECK(pause(stop));
  }
  return {};
}

}  // namespace natscope
