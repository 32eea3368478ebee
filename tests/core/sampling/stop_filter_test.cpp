// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/sampling/stop_filter.h"

#include <doctest/doctest.h>

#include <random>

namespace natscope {
namespace {

TEST_CASE("what may become a stop string is held back") {
  StopFilter filter({"\n\n"});
  CHECK(filter.push("one\n") == "one");
  CHECK(filter.push("two") == "\ntwo");
  CHECK(filter.push("\n") == "");
  CHECK_FALSE(filter.found());
  CHECK(filter.push("\nthree") == "");
  CHECK(filter.found());
  CHECK(filter.push("four") == "");
  CHECK(filter.finish() == "");
}

TEST_CASE("the earliest of several wins, and what never completes is shown in the end") {
  StopFilter filter({"cd", "bcde", ""});
  CHECK(filter.push("ab") == "a");
  CHECK(filter.push("c") == "");
  CHECK(filter.push("d!") == "b");
  CHECK(filter.found());
  StopFilter open({"xyz"});
  CHECK(open.push("axy") == "a");
  CHECK(open.finish() == "xy");
}

TEST_CASE("pieces of any size give what the whole text gives") {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    while (text.size() < 30) text += static_cast<char>('a' + random() % 2);
    const std::vector<std::string> stops = {"aabba", "bbbb"};
    std::size_t end = std::min(text.find(stops[0]), text.find(stops[1]));
    StopFilter filter(stops);
    std::string shown;
    for (std::size_t first = 0; first < text.size();) {
      const std::size_t length = 1 + random() % 6;
      shown += filter.push(std::string_view(text).substr(first, length));
      first += length;
    }
    shown += filter.finish();
    CHECK(filter.found() == (end != std::string::npos));
    CHECK(shown == text.substr(0, end));
  }
}

}  // namespace
}  // namespace natscope
