// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/log.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace natscope {
namespace {

TEST_CASE("a sink gets the messages of its level, escaped") {
  std::vector<std::string> lines;
  const LogLevel before = log_level();
  set_log_sink([&](LogLevel, std::string_view text) { lines.emplace_back(text); });
  set_log_level(LogLevel::info);
  log(LogLevel::debug, "not this");
  log(LogLevel::info, "two\nlines");
  log(LogLevel::error, "bad");
  set_log_sink({});
  set_log_level(before);
  CHECK(lines == std::vector<std::string>{"two\\nlines", "bad"});
}

}  // namespace
}  // namespace natscope
