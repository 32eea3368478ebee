// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QString>
#include <QStringList>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/base/cancel.h"
#include "core/jobs/job_store.h"
#include "core/jobs/observe_jobs.h"
#include "ui/models/jobs/job_curves.h"

namespace natscope::ui {

/// One job of the list: what its folder says, and the latest numbers of its progress.
struct JobRow {
  jobs::JobEntry entry;
  std::optional<jobs::StepPoint> last;
  std::optional<std::int64_t> checkpoint;  ///< the newest one's step
};

/// What the window wants to know beyond the list.
struct JobWish {
  std::set<std::string> curves;  ///< jobs whose whole progress is read
  std::string log;               ///< the job whose log is followed; empty: none
};

struct JobSnapshot {
  std::vector<JobRow> rows;
  std::optional<Error> problem;                                    ///< the folder of jobs itself cannot be read
  std::map<std::string, std::shared_ptr<const JobCurves>> curves;  ///< of the wish; changed ones are new objects
  std::string logOf;
  QStringList log;         ///< new lines
  bool logBegins = false;  ///< forget the lines of before
};

/// Reads job folders, again and again, each time only what is new. Lives on whatever thread calls it, one at a time; a
/// read may wait for disks and for a cluster, which is asked once for all jobs; for the cluster no longer than the
/// program runs. Cost a read: the list's small files, and new progress of active jobs.
class JobReader {
 public:
  /// On the program's own thread.
  explicit JobReader(std::filesystem::path root);

  [[nodiscard]] JobSnapshot read(const JobWish& wish);

 private:
  struct Followed {
    explicit Followed(const std::filesystem::path& folder) : progress(folder) {}
    jobs::ProgressFollower progress;
    JobCurves curves;
    std::shared_ptr<const JobCurves> shown;
  };
  struct Tail {
    explicit Tail(const std::filesystem::path& folder);
    jobs::FollowedFile file;
    std::optional<jobs::StepPoint> last;
    std::string updated;  ///< the status's time when the tail was read to its end
    bool isRead = false;
  };

  void readTail(JobRow& row);
  void readCurves(const JobRow& row, JobSnapshot& snapshot);
  void readLog(const std::string& name, JobSnapshot& snapshot);

  jobs::JobStore store_;
  jobs::ClusterWatch cluster_;
  StopSource stop_;  ///< asked for when the program ends
  std::map<std::string, Tail> tails_;
  std::map<std::string, Followed> followed_;
  std::string logOf_;
  std::optional<jobs::FollowedFile> log_;
};

}  // namespace natscope::ui
