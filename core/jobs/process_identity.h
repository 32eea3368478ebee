// SPDX-License-Identifier: GPL-3.0-or-later
/// Which process, on which machine: a pid alone names another process once the first one is gone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace natscope::jobs {

struct ProcessIdentity {
  std::int64_t pid = 0;
  std::string host;           ///< empty: not recorded
  std::uint64_t started = 0;  ///< clock ticks after the machine's start (field 22 of /proc/PID/stat); 0: not recorded
  std::string boot;           ///< the machine's boot id; empty: not recorded

  bool operator==(const ProcessIdentity&) const = default;
};

[[nodiscard]] ProcessIdentity this_process();
/// Of a process of this machine; nothing when it is gone.
[[nodiscard]] std::optional<ProcessIdentity> process_with_pid(std::int64_t pid);

enum class Liveness { alive, gone, elsewhere };

/// `elsewhere`: recorded on another host, nothing can be said from here. A process that has ended but was not waited
/// for (a zombie) is gone. Where start time or boot were not recorded, the pid alone decides.
[[nodiscard]] Liveness liveness(const ProcessIdentity& process);

/// Whether a process of this machine is at work in a job's folder: it has the folder's lock open, or was started for
/// the folder and names it in its command. For whoever is about to send it a signal: a folder may come from anybody,
/// and say any pid.
[[nodiscard]] bool is_at_work_in(std::int64_t pid, const std::filesystem::path& folder);

}  // namespace natscope::jobs
