// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

TEST_CASE("what a terminal would obey becomes something to look at, and text stays as it is") {
  CHECK(without_controls("") == "");
  CHECK(without_controls("Alice,\n\tcafé — 漢字 🙂") == "Alice,\n\tcafé — 漢字 🙂");
  CHECK(without_controls("\033[2J\033]0;title\a") == "␛[2J␛]0;title␇");
  CHECK(without_controls("a\rb\bc\177") == "a␍b␈c␡");
  CHECK(without_controls(std::string_view("\0\x1F", 2)) == "␀␟");
  // U+009B is an escape sequence's beginning in one character; U+00A0 is a blank.
  CHECK(without_controls("\xC2\x9B"
                         "2J\xC2\xA0") ==
        "\xEF\xBF\xBD"
        "2J\xC2\xA0");
  CHECK(without_controls("\xC2") == "\xC2");
}

}  // namespace
}  // namespace natscope
