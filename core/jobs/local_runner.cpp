// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/local_runner.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "core/base/system_error.h"
#include "core/base/unique_descriptor.h"
#include "core/jobs/detached_process.h"
#include "core/jobs/job_spec.h"

namespace natscope::jobs {

namespace fs = std::filesystem;

namespace {

/// Sends a signal to a process of this machine that is at work in the job's folder, and to no other one.
Expected<void> signal_worker(const ProcessIdentity& worker, const fs::path& folder, int signal) {
  // A descriptor of the process, so that between the look and the signal it cannot become another one.
  const auto pid = static_cast<pid_t>(worker.pid);
  const UniqueDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  switch (liveness(worker)) {
    case Liveness::gone:
      return {};
    case Liveness::elsewhere:
      return fail(ErrorCode::bad_job, "the job runs on " + printable(worker.host),
                  "end it there: natscope-cli jobs stop --now");
    case Liveness::alive:
      break;
  }
  if (!is_at_work_in(worker.pid, folder)) {
    return fail(ErrorCode::bad_job,
                printable(folder.string()) + " says that process " + std::to_string(worker.pid) +
                    " is its trainer, which works on something else: it is not ended",
                "look what it is, and remove status.json and launch.json there");
  }
  const bool sent = process.is_open() ? ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0
                                      : ::kill(pid, signal) == 0;
  if (!sent && errno != ESRCH) return Unexpected(system_error(errno, "end the process of", folder));
  return {};
}

}  // namespace

Expected<void> LocalRunner::start(const fs::path& folder) {
  NATSCOPE_TRY(const JobSpec spec, read_job_spec(folder));
  NATSCOPE_CHECK(check_startable(folder));
  withdraw_stop_request(folder);
  const fs::path program = options_.program.empty() ? cli_program() : options_.program;
  const fs::path output = folder / "output.txt";
  std::error_code not_there;
  const std::uint64_t size = fs::file_size(output, not_there);
  bool is_written = false;
  const auto started = start_detached(job_command(program, spec, folder), output, [&](const ProcessIdentity& process) {
    is_written = true;
    return write_launch_record(folder, {RunnerKind::local, process, {}, {}, {}, not_there ? 0 : size});
  });
  if (!started) {
    // Nothing runs: the previous status is the last word again.
    std::error_code ignored;
    if (is_written) fs::remove(folder / "launch.json", ignored);
    return Unexpected(started.error());
  }
  return {};
}

Expected<JobStatus> LocalRunner::observe(const fs::path& folder) { return read_job_status(folder); }

Expected<void> LocalRunner::cancel(const fs::path& folder) {
  NATSCOPE_TRY(const JobStatus status, read_job_status(folder));
  if (!is_active(status.state)) {
    return fail(ErrorCode::bad_job, printable(folder.string()) + " is " + name(status.state) + ": nothing to end");
  }
  NATSCOPE_CHECK(signal_worker(status.process, folder, SIGKILL));
  // mpirun sees by itself that a rank is gone, and ends the others; asked, it does so at once.
  const bool has_starter = status.launch && status.launch->runner == RunnerKind::local &&
                           status.launch->process.pid != status.process.pid &&
                           liveness(status.launch->process) == Liveness::alive;
  return has_starter ? signal_worker(status.launch->process, folder, SIGTERM) : Expected<void>();
}

}  // namespace natscope::jobs
