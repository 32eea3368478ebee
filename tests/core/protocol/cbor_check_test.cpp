// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/protocol/framing.h"

namespace natscope {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Case {
  const char* what;
  Bytes bytes;
};

Bytes nested(std::size_t depth) {
  Bytes bytes(depth, 0x81);  // a list of one, again and again
  bytes.push_back(0x00);
  return bytes;
}

TEST_CASE("sound CBOR passes") {
  const nlohmann::json map = {{"a", 1},
                              {"b", -5},
                              {"c", 1.5},
                              {"d", nullptr},
                              {"e", true},
                              {"f", "é日"},
                              {"g", {1, 2, nlohmann::json::object()}},
                              {"h", nlohmann::json::binary({1, 2, 255})}};
  const auto checked = check_cbor(nlohmann::json::to_cbor(map));
  CHECK_MESSAGE(checked.has_value(), (checked ? "" : checked.error().message));
  CHECK(check_cbor(nested(15)));
  CHECK(check_cbor(Bytes{0x80}));
  CHECK(check_cbor(Bytes{0xf9, 0x3c, 0x00}));                                      // a half float
  CHECK(check_cbor(Bytes{0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));  // 2^64 - 1
}

TEST_CASE("broken CBOR is refused before anything is built from it") {
  const Case cases[] = {
      {"nothing", {}},
      {"number cut", {0x19, 0x01}},
      {"reserved length", {0x1c}},
      {"indefinite bytes", {0x5f, 0x41, 0x00, 0xff}},
      {"indefinite text", {0x7f, 0x61, 0x61, 0xff}},
      {"indefinite list", {0x9f, 0x00, 0xff}},
      {"indefinite map", {0xbf, 0x61, 0x61, 0x00, 0xff}},
      {"a break alone", {0xff}},
      {"text longer than the message", {0x65, 'a', 'b'}},
      {"bytes of 2^64 - 1", {0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
      {"list of 2^64 - 1", {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
      {"map of 2^63", {0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0}},
      {"list with too few elements", {0x83, 0x00, 0x00}},
      {"map with a key alone", {0xa1, 0x61, 'a'}},
      {"key that is a number", {0xa1, 0x01, 0x02}},
      {"key that is bytes", {0xa1, 0x41, 'a', 0x02}},
      {"key that comes twice", {0xa2, 0x61, 'a', 0x01, 0x61, 'a', 0x02}},
      {"text that is not UTF-8", {0x62, 0xc3, 0x28}},
      {"a surrogate", {0x63, 0xed, 0xa0, 0x80}},
      {"tag", {0xc0, 0x61, 'a'}},
      {"undefined", {0xf7}},
      {"simple value 32", {0xf8, 0x20}},
      {"below 64 bits", {0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
      {"something behind", {0x00, 0x00}},
      {"too deep", nested(17)},
      {"far too deep", nested(2'000'000)},
  };
  for (const Case& test : cases) {
    CAPTURE(test.what);
    const auto checked = check_cbor(test.bytes);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == ErrorCode::protocol_error);
  }
}

TEST_CASE("values are counted") {
  Bytes many{0x9a, 0x00, 0x20, 0x00, 0x00};  // 2^21 zeros
  many.resize(many.size() + (std::size_t{1} << 21U), 0x00);
  CHECK_FALSE(check_cbor(many));
  CHECK(check_cbor(many, {.max_depth = 2, .max_items = std::size_t{1} << 22U}));
}

}  // namespace
}  // namespace natscope
