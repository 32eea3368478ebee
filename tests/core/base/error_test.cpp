// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "core/base/expected.h"

namespace natscope {
namespace {

TEST_CASE("every code has its own kebab-case name, a hint and a legal exit code") {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(ErrorCode::interrupted); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const std::string text = name(code);
    CAPTURE(text);
    CHECK(names.insert(text).second);
    CHECK(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
    CHECK(exit_code(code) >= 1);
    CHECK(exit_code(code) <= 5);
    CHECK_FALSE(make_error(code, "x").hint.empty());
  }
}

TEST_CASE("exit codes are the contract's") {
  CHECK(exit_code(ErrorCode::internal) == 1);
  CHECK(exit_code(ErrorCode::usage) == 2);
  CHECK(exit_code(ErrorCode::bad_config) == 3);
  CHECK(exit_code(ErrorCode::bad_token_id) == 3);
  CHECK(exit_code(ErrorCode::out_of_memory) == 4);
  CHECK(exit_code(ErrorCode::interrupted) == 5);
}

TEST_CASE("an error line is one line whatever a file put into it") {
  CHECK(format_error_line(make_error(ErrorCode::bad_config, "a is missing", "add it")) ==
        "error: bad-config: a is missing; add it");
  const std::string hostile = std::string("tensor a\nb\r\x1b[2J\xff\xE2\x80\xAE\xC2\x85") + '\0' + "é";
  const std::string line = format_error_line(make_error(ErrorCode::bad_safetensors, hostile));
  CHECK(line.find_first_of(std::string("\n\r\x1b\0", 4)) == std::string::npos);
  CHECK(line.find("a\\nb\\r\\x1B[2J\\xFF\\xE2\\x80\\xAE\\xC2\\x85\\x00é;") != std::string::npos);
  const std::string long_line = format_error_line(make_error(ErrorCode::bad_json, std::string(1'000'000, 'x')));
  CHECK(long_line.size() < 2000);
  CHECK(long_line.find("…") != std::string::npos);
}

Expected<int> half(int value) {
  if (value % 2 != 0) return fail(ErrorCode::bad_range, "odd");
  return value / 2;
}

Expected<int> quarter(int value) {
  NATSCOPE_TRY(const int once, half(value));
  NATSCOPE_CHECK(half(once));
  return half(once);
}

TEST_CASE("NATSCOPE_TRY hands values on and errors up") {
  CHECK(quarter(8).value() == 2);
  CHECK(quarter(7).error().code == ErrorCode::bad_range);
  CHECK(quarter(6).error().message == "odd");
}

}  // namespace
}  // namespace natscope
