// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/process_identity.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <limits>
#include <sstream>
#include <string_view>
#include <system_error>

#include "core/base/small_file.h"

namespace natscope::jobs {

namespace {

constexpr std::uint64_t proc_file_bytes = 64 << 10;
constexpr std::uint64_t command_bytes = 4 << 20;

std::string host_name() {
  std::array<char, 256> text{};
  if (::gethostname(text.data(), text.size() - 1) != 0) return {};
  return text.data();
}

std::string boot_id() {
  auto text = read_small_file("/proc/sys/kernel/random/boot_id", proc_file_bytes);
  if (!text) return {};
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

struct ProcessStat {
  char state = '?';
  std::uint64_t started = 0;
};

/// Fields 3 and 22 of /proc/PID/stat. The name in field 2 may hold blanks and parentheses, so the last one counts.
std::optional<ProcessStat> stat_of(std::int64_t pid) {
  if (pid <= 0 || pid > std::numeric_limits<pid_t>::max()) return std::nullopt;
  const auto text = read_small_file("/proc/" + std::to_string(pid) + "/stat", proc_file_bytes);
  if (!text) return std::nullopt;
  std::string_view rest = *text;
  const auto name_end = rest.rfind(") ");
  if (name_end == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(name_end + 2);
  ProcessStat stat;
  for (int field = 3; !rest.empty(); ++field) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    if (field == 3 && !word.empty()) stat.state = word.front();
    if (field == 22) {
      const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), stat.started);
      if (problem != std::errc() || end != word.data() + word.size()) return std::nullopt;
      return stat;
    }
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  return std::nullopt;
}

bool has_open(const std::filesystem::path& process, const std::filesystem::path& file) {
  struct stat wanted {};
  if (::lstat(file.c_str(), &wanted) != 0) return false;
  std::error_code problem;
  for (std::filesystem::directory_iterator entry(process / "fd", problem);
       !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    struct stat open {};
    if (::stat(entry->path().c_str(), &open) == 0 && open.st_dev == wanted.st_dev && open.st_ino == wanted.st_ino)
      return true;
  }
  return false;
}

bool names(const std::filesystem::path& process, const std::filesystem::path& folder) {
  const auto command = read_small_file(process / "cmdline", command_bytes);
  if (!command) return false;
  std::istringstream words(*command);
  for (std::string word; std::getline(words, word, '\0');) {
    std::error_code problem;  // most words are no path
    if (word.starts_with('/') && std::filesystem::equivalent(word, folder, problem)) return true;
  }
  return false;
}

}  // namespace

bool is_at_work_in(std::int64_t pid, const std::filesystem::path& folder) {
  const std::filesystem::path process = "/proc/" + std::to_string(pid);
  return has_open(process, folder / ".lock") || names(process, folder);
}

std::optional<ProcessIdentity> process_with_pid(std::int64_t pid) {
  const auto stat = stat_of(pid);
  if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  return ProcessIdentity{pid, host_name(), stat->started, boot_id()};
}

ProcessIdentity this_process() {
  const std::int64_t pid = ::getpid();
  return process_with_pid(pid).value_or(ProcessIdentity{pid, host_name(), 0, boot_id()});
}

Liveness liveness(const ProcessIdentity& process) {
  if (!process.host.empty() && process.host != host_name()) return Liveness::elsewhere;
  if (!process.boot.empty() && process.boot != boot_id()) return Liveness::gone;
  const auto now = process_with_pid(process.pid);
  if (!now) return Liveness::gone;
  return process.started == 0 || process.started == now->started ? Liveness::alive : Liveness::gone;
}

}  // namespace natscope::jobs
