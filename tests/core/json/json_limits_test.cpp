// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/json/json_limits.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using Json = nlohmann::json;

TEST_CASE("good JSON parses as the library parses it") {
  for (const std::string text :
       {R"({"a": [1, -2, 3.5, true, false, null, "x\u00e9\n"], "b": {"c": {}}, "d": []})", "[]", "3", "\"x\"", " null ",
        "[[[[]]]]", "18446744073709551615", "-9223372036854775808", "1e-300", R"({"": {"": []}})"}) {
    CAPTURE(text);
    const auto parsed = parse_json(text, {}, "text");
    REQUIRE(parsed);
    CHECK(*parsed == Json::parse(text));
  }
}

TEST_CASE("bad JSON is refused with its source's name") {
  const std::vector<std::string> texts = {
      "",
      " ",
      "{",
      "[1,]",
      "{\"a\": 1,}",
      "{'a': 1}",
      "{\"a\" 1}",
      "{a: 1}",
      "[1] 2",
      "[1]]",
      "// c\n[]",
      "[NaN]",
      "[Infinity]",
      "[01]",
      "[1e999]",
      "[+1]",
      "nul",
      "\"a",
      "\"\\x\"",
      "\"\\ud800\"",
      "\"\xff\"",
      "\"a\nb\"",
      std::string("\"a\0b\"", 5),
      std::string("[]\0", 3),
      std::string("[]\0[]", 5),
      R"({"a": 1, "a": 2})",
      R"({"x": {"a": 1, "b": {"a": 3}, "a": 2}})",
      R"([{"a": 1}, {"b": 1, "b": 1}])",
  };
  for (const std::string& text : texts) {
    CAPTURE(text);
    const auto parsed = parse_json(text, {}, "thing.json");
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ErrorCode::bad_json);
    CHECK(parsed.error().message.starts_with("thing.json: "));
  }
  // Equal keys in different objects are no duplicates.
  CHECK(parse_json(R"([{"a": {"a": 1}}, {"a": 1}])", {}, "x"));
}

TEST_CASE("a number that nothing here can hold is called that, and not no JSON") {
  for (const std::string& text : {"[1, " + std::string(400, '9') + "]", std::string("[1, -1e999]")}) {
    CAPTURE(text);
    const auto parsed = parse_json(text, {}, "thing.json");
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message == "thing.json: a number too large, up to byte " + std::to_string(text.size() - 1));
  }
}

TEST_CASE("depth, size and number of values are bounded, however deep the text goes") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(64), {}, "x"));
  CHECK_FALSE(parse_json(nested(65), {}, "x"));
  CHECK_FALSE(parse_json(nested(5'000'000), {}, "x"));
  CHECK_FALSE(parse_json(std::string(10'000'000, '['), {}, "x"));
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  CHECK_FALSE(parse_json(objects, {}, "x"));

  CHECK(parse_json("[1,2]", {.max_bytes = 5}, "x"));
  CHECK_FALSE(parse_json("[1,2] ", {.max_bytes = 5}, "x"));
  CHECK(parse_json("[1,2]", {.max_values = 3}, "x"));
  CHECK_FALSE(parse_json("[1,2]", {.max_values = 2}, "x"));
}

TEST_CASE("our own files: what JSON cannot hold is an error, and names the file") {
  CHECK(json_file_text({{"a", 1}}, "x.json").value() == "{\n  \"a\": 1\n}\n");
  const auto refused = json_file_text({{"path", "caf\xe9"}}, "x.json");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::usage);
  CHECK(refused.error().message.find("x.json") != std::string::npos);
}

TEST_CASE("files: too large, missing, none") {
  const test::TemporaryFolder folder;
  test::write_bytes(folder / "a.json", "[1, 2]");
  CHECK(read_json_file(folder / "a.json").value() == Json::parse("[1, 2]"));
  CHECK(read_json_file(folder / "a.json", {.max_bytes = 5}).error().code == ErrorCode::bad_json);
  CHECK(read_json_file(folder / "none").error().code == ErrorCode::file_not_found);
  CHECK(read_json_file(folder.path()).error().code == ErrorCode::not_a_regular_file);
}

}  // namespace
}  // namespace natscope
