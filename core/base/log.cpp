// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>

#include "core/base/error.h"

namespace natscope {
namespace {

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

LogLevel level_from_environment() {
  const char* const wanted = std::getenv("NATSCOPE_LOG");
  if (wanted == nullptr) return LogLevel::warning;
  for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::error}) {
    if (std::string_view(wanted) == level_name(level)) return level;
  }
  return LogLevel::warning;
}

struct Logger {
  std::atomic<LogLevel> level = level_from_environment();
  std::mutex mutex;
  std::function<void(LogLevel, std::string_view)> sink;
};

Logger& logger() {
  static Logger instance;
  return instance;
}

}  // namespace

void set_log_level(LogLevel level) { logger().level = level; }

LogLevel log_level() { return logger().level; }

void log(LogLevel level, std::string_view text) {
  Logger& to = logger();
  if (level < to.level.load()) return;
  constexpr std::size_t max_text_bytes = 4000;
  const std::string shown = printable(text, max_text_bytes);
  const std::lock_guard lock(to.mutex);
  if (to.sink) {
    to.sink(level, shown);
    return;
  }
  const std::string line = std::string("natscope: ") + level_name(level) + ": " + shown + "\n";
  // Nothing can be done about a stderr that takes no more.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

void set_log_sink(std::function<void(LogLevel, std::string_view)> sink) {
  Logger& to = logger();
  const std::lock_guard lock(to.mutex);
  to.sink = std::move(sink);
}

}  // namespace natscope
