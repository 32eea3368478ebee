// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/utf8.h"

#include <doctest/doctest.h>

#include <string>

namespace natscope {
namespace {

TEST_CASE("valid and invalid UTF-8, as the Unicode standard's table says") {
  for (const std::string text : {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                 "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "aé€😀"}) {
    CAPTURE(text);
    CHECK(valid_utf8(text));
    CHECK(complete_prefix_length(text) == text.size());
  }
  for (const std::string text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xF0\x9F\x98"}) {
    CAPTURE(text);
    CHECK_FALSE(valid_utf8(text));
    CHECK(utf8_character_length(text) == 0);
  }
  CHECK(valid_utf8(std::string("a\0b", 3)));
}

TEST_CASE("every code point's encoding is one character, and no cut of it is") {
  for (unsigned point = 0; point <= 0x10FFFF; point += point < 0x3000 ? 1 : 251) {
    if (point >= 0xD800 && point <= 0xDFFF) continue;
    std::string text;
    if (point < 0x80) {
      text = {static_cast<char>(point)};
    } else if (point < 0x800) {
      text = {static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 63))};
    } else if (point < 0x10000) {
      text = {static_cast<char>(0xE0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 63)),
              static_cast<char>(0x80 | (point & 63))};
    } else {
      text = {static_cast<char>(0xF0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 63)),
              static_cast<char>(0x80 | (point >> 6 & 63)), static_cast<char>(0x80 | (point & 63))};
    }
    REQUIRE(utf8_character_length(text + "x") == text.size());
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      REQUIRE(complete_prefix_length("ab" + text.substr(0, cut)) == 2);
    }
  }
}

TEST_CASE("a tail that nothing can complete is not held back") {
  CHECK(complete_prefix_length("a\xFF") == 2);
  CHECK(complete_prefix_length("a\xE2\x28") == 3);
  CHECK(complete_prefix_length("a\x80\x80\x80") == 4);
  CHECK(complete_prefix_length("\xED\xA0") == 2);  // a surrogate
  CHECK(complete_prefix_length("\xF0\x9F\x98\x80\xF0\x9F\x98") == 4);
}

TEST_CASE("each maximal broken part counts as one") {
  CHECK(utf8_broken_length("\xE2\x82") == 2);
  CHECK(utf8_broken_length("\xE2\x82\xE2\x82\xAC") == 2);
  CHECK(utf8_broken_length("\xF0\x90\x28\xFF") == 2);
  CHECK(utf8_broken_length("\xC0\xAF") == 1);
  CHECK(utf8_broken_length("") == 0);
}

}  // namespace
}  // namespace natscope
