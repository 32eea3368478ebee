// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/jobs/job_reader.h"

#include <QCoreApplication>

#include "core/jobs/checkpoint_list.h"

namespace natscope::ui {
namespace {

constexpr std::uint64_t tailBytes = 32 * 1024;
constexpr std::uint64_t logTailBytes = 128 * 1024;
constexpr int mostLogLines = 4000;
constexpr int longestLogLine = 2000;
/// A poll reads 4 MiB; what is longer comes with the next reads.
constexpr int pollsOfOneRead = 4;

}  // namespace

JobReader::Tail::Tail(const std::filesystem::path& folder) : file(folder / "progress.jsonl") {
  file.begin_near_end(tailBytes);
}

JobReader::JobReader(std::filesystem::path root) : store_(std::move(root)) {
  // Its end waits for all that is done elsewhere, also where no window is left to be told.
  QCoreApplication* const program = QCoreApplication::instance();
  if (program == nullptr) return;
  QObject::connect(program, &QCoreApplication::aboutToQuit, program, [stop = stop_]() mutable { stop.request_stop(); });
}

JobSnapshot JobReader::read(const JobWish& wish) {
  JobSnapshot snapshot;
  auto entries = store_.list();
  if (!entries) {
    snapshot.problem = entries.error();
    return snapshot;
  }
  // Where it is not waited for, the folders' word is the last one.
  static_cast<void>(cluster_.observe(*entries, stop_.get_token()));
  std::set<std::string> names;
  for (jobs::JobEntry& entry : *entries) {
    names.insert(entry.name);
    JobRow row;
    row.entry = std::move(entry);
    if (!row.entry.problem) {
      readTail(row);
      if (wish.curves.contains(row.entry.name)) readCurves(row, snapshot);
    }
    snapshot.rows.push_back(std::move(row));
  }
  std::erase_if(tails_, [&](const auto& each) { return !names.contains(each.first); });
  std::erase_if(followed_, [&](const auto& each) { return !snapshot.curves.contains(each.first); });
  readLog(names.contains(wish.log) ? wish.log : std::string(), snapshot);
  return snapshot;
}

void JobReader::readTail(JobRow& row) {
  const auto checkpoints = jobs::list_checkpoints(row.entry.folder / "checkpoints");
  if (!checkpoints.empty()) row.checkpoint = checkpoints.front().step;
  Tail& tail = tails_.try_emplace(row.entry.name, row.entry.folder).first->second;
  if (!tail.isRead || tail.updated != row.entry.status.updated || jobs::is_active(row.entry.status.state)) {
    if (const auto news = tail.file.poll()) {
      if (news->restarted) tail.last.reset();
      for (const std::string& line : news->lines) {
        const auto point = jobs::parse_progress_line(line);
        if (!point) continue;
        if (const auto* const step = std::get_if<jobs::StepPoint>(&*point)) tail.last = *step;
      }
    }
    tail.isRead = true;
    tail.updated = row.entry.status.updated;
  }
  row.last = tail.last;
}

void JobReader::readCurves(const JobRow& row, JobSnapshot& snapshot) {
  Followed& followed = followed_.try_emplace(row.entry.name, row.entry.folder).first->second;
  bool isNew = followed.shown == nullptr;
  for (int poll = 0; poll < pollsOfOneRead; ++poll) {
    const auto news = followed.progress.poll();
    if (!news) break;
    if (news->restarted) followed.curves = JobCurves();
    isNew = isNew || news->restarted || !news->points.empty();
    for (const jobs::JobPoint& point : news->points) followed.curves.add(point);
    if (!news->more) break;
  }
  if (isNew) followed.shown = std::make_shared<const JobCurves>(followed.curves);
  snapshot.curves[row.entry.name] = followed.shown;
}

void JobReader::readLog(const std::string& name, JobSnapshot& snapshot) {
  snapshot.logOf = name;
  if (name != logOf_) {
    logOf_ = name;
    log_.reset();
    snapshot.logBegins = true;
    if (!name.empty()) {
      log_.emplace(store_.root() / name / "log.txt");
      log_->begin_near_end(logTailBytes);
    }
  }
  if (!log_) return;
  const auto news = log_->poll();
  if (!news) return;
  snapshot.logBegins = snapshot.logBegins || news->restarted;
  const auto from = news->lines.size() > mostLogLines ? news->lines.size() - mostLogLines : 0;
  for (auto i = from; i < news->lines.size(); ++i) {
    snapshot.log.append(QString::fromStdString(printable(news->lines[i], longestLogLine)));
  }
}

}  // namespace natscope::ui
