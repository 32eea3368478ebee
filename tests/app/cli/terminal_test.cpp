// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/terminal.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>

#include "app/cli/commands/live_table.h"
#include "app/cli/terminal/screen_text.h"
#include "tests/core/session/recorded_run.h"

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

TEST_CASE("columns of a line: wide characters, marks, tabs and colours") {
  CHECK(screen_columns("") == 0);
  CHECK(screen_columns("Alice — café") == 12);
  CHECK(screen_columns("漢字 🙂") == 7);
  CHECK(screen_columns("e\u0301") == 1);
  CHECK(screen_columns("ab\tc") == 9);
  CHECK(screen_columns("\tc", 7) == 2);
  CHECK(screen_columns("\033[1mbold\033[0m") == 4);
  CHECK(screen_columns("\xE6") == 1);
}

TEST_CASE("a line is cut where the screen ends, never inside a character") {
  CHECK(cut_to_columns("Alice", 5) == "Alice");
  CHECK(cut_to_columns("Alice", 3) == "Ali");
  CHECK(cut_to_columns("██··", 3) == "██·");
  CHECK(cut_to_columns("漢字", 3) == "漢");
  CHECK(cut_to_columns("Alice", 0).empty());
  CHECK(cut_to_columns("\033[2mfaint words\033[0m", 5) == "\033[2mfaint\033[0m");
  CHECK(cut_to_columns("\033[1ma\033[0m plain", 4) == "\033[1ma\033[0m pl");
}

TEST_CASE("the table has its blanks, and says what keeps entries") {
  const SequenceRecord record = test::recorded_run();
  const std::string table = accounting_table(record, "model", false, 80);
  CHECK(table.find("what the roles keep") != std::string::npos);
  CHECK(table.find("\nroles     G ") != std::string::npos);
  const std::string under_h2o = accounting_table(record, "h2o:32,32", false, 80);
  CHECK(under_h2o.find("what H2O keeps") != std::string::npos);
  CHECK(under_h2o.find("role") == std::string::npos);
  // A percentage never sticks to what stands before it.
  for (std::size_t at = table.find(" %"); at != std::string::npos; at = table.find(" %", at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && (std::isdigit(static_cast<unsigned char>(table[begin - 1])) != 0 || table[begin - 1] == '.'))
      --begin;
    CAPTURE(table.substr(0, at));
    CHECK(table[begin - 1] == ' ');
  }
}

TEST_CASE("on a small terminal no line of the table wraps, and none scrolls away") {
  const std::string table = accounting_table(test::recorded_run(), "model", true, 30);
  for (const int columns : {10, 30, 62, 200}) {
    for (const int rows : {1, 6, 24}) {
      CAPTURE(columns);
      CAPTURE(rows);
      const auto lines = lines_on_screen(table, columns, rows);
      CHECK(lines.size() <= static_cast<std::size_t>(std::max(1, rows - 3)));
      for (const std::string& line : lines) CHECK(screen_columns(line) < columns);
    }
  }
  CHECK(lines_on_screen(table, 200, 6).back().find("more lines") != std::string::npos);
  CHECK(lines_on_screen("a\nb\n", 80, 24) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("text above a table never ends with a full row") {
  CHECK(bytes_before_full_row("abcd", 0, 5) == 4);
  CHECK(bytes_before_full_row("abcde", 0, 5) == 4);
  CHECK(bytes_before_full_row("abcde", 5, 5) == 4);
  CHECK(bytes_before_full_row("abcde\n", 0, 5) == 6);  // the next row is empty
  CHECK(bytes_before_full_row("ab\nabcdefghij", 3, 5) == 12);
  CHECK(bytes_before_full_row("abcd’", 0, 5) == 4);
  CHECK(bytes_before_full_row("abc字", 0, 5) == 3);        // two columns wide
  CHECK(bytes_before_full_row("abcde\u0301", 0, 5) == 4);  // with its accent
  CHECK(bytes_before_full_row("", 5, 5) == 0);
  CHECK(bytes_before_full_row("abc", 0, 1) == 3);
}

}  // namespace
}  // namespace natscope
