// SPDX-License-Identifier: GPL-3.0-or-later
// Files that must be refused as bad-safetensors, each broken in one place and made by hand.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

struct Case {
  std::string what;
  std::string bytes;
};

std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i));
  return bytes + rest;
}

/// A file whose header is `header` and whose data are `data_bytes` zeros.
Case header(const std::string& what, const std::string& text, std::size_t data_bytes = 0) {
  return {what, test::safetensors_bytes(text, std::string(data_bytes, '\0'))};
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

/// One tensor "a" of this entry, over 8 bytes of data.
Case tensor(const std::string& what, const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return header(what, "{\"a\":" + entry(dtype, shape, offsets) + "}", 8);
}

std::string f32_pair(const std::string& offsets_a, const std::string& offsets_b) {
  return "{\"a\":" + entry("\"F32\"", "[1]", offsets_a) + ",\"b\":" + entry("\"F32\"", "[1]", offsets_b) + "}";
}

std::vector<Case> length_cases() {
  return {
      {"an empty file", ""},
      {"seven bytes", "1234567"},
      {"a length over the file", with_length(3, "{}")},
      {"a length of 2^63", with_length(std::uint64_t{1} << 63U, "{}")},
      {"the largest length", with_length(UINT64_MAX, "{}")},
      {"a length that wraps round with the eight", with_length(UINT64_MAX - 7, "{}")},
      {"a header of no bytes", with_length(0, "")},
      {"no header at all", with_length(0, "{}")},
      {"a text file", "this is a text file and no safetensors file"},
  };
}

std::vector<Case> header_cases() {
  std::vector<Case> cases = {
      header("no JSON", "hello"),
      header("cut JSON", R"({"a":)"),
      header("an array", "[]"),
      header("a blank in front", " {}"),
      header("text behind it", "{} {}"),
      header("a comment", "{/* */}"),
      header("invalid UTF-8 in a name", "{\"\xff\":" + entry("\"F32\"", "[2]", "[0,8]") + "}", 8),
      header("a zero byte", std::string("{}\0", 3)),
      header("deep nesting", R"({"a":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}"),
      header("a tensor named twice",
             "{\"a\":" + entry("\"F32\"", "[1]", "[0,4]") + ",\"a\":" + entry("\"F32\"", "[1]", "[4,8]") + "}", 8),
      header("a key of an entry twice", R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
      header("metadata twice", R"({"__metadata__":{"a":"b"},"__metadata__":{"a":"b"}})"),
      header("metadata that is a list", R"({"__metadata__":["a"]})"),
      header("metadata that is a string", R"({"__metadata__":"a"})"),
      header("metadata that is null", R"({"__metadata__":null})"),
      header("metadata with a number", R"({"__metadata__":{"a":1}})"),
      header("metadata with a map", R"({"__metadata__":{"a":{"b":"c"}}})"),
      header("metadata with null", R"({"__metadata__":{"a":null}})"),
      header("an entry that is a number", R"({"a":1})"),
      header("an entry that is a list", R"({"a":["F32",[2],[0,8]]})", 8),
      header("an entry that is empty", R"({"a":{}})"),
      header("no dtype", R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8),
      header("no shape", R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8),
      header("no offsets", R"({"a":{"dtype":"F32","shape":[2]}})", 8),
  };
  return cases;
}

std::vector<Case> tensor_cases() {
  std::string deep_shape = "[1";
  for (int i = 0; i < 40; ++i) deep_shape += ",1";
  deep_shape += "]";
  return {
      tensor("a dtype that is a number", "32", "[2]", "[0,8]"),
      tensor("an unknown dtype", "\"F33\"", "[2]", "[0,8]"),
      tensor("a dtype in lower case", "\"f32\"", "[2]", "[0,8]"),
      tensor("an empty dtype", "\"\"", "[8]", "[0,8]"),
      tensor("a shape that is a number", "\"F32\"", "2", "[0,8]"),
      tensor("a negative size", "\"F32\"", "[-2]", "[0,8]"),
      tensor("two negative sizes", "\"F32\"", "[-1,-2]", "[0,8]"),
      tensor("a fractional size", "\"F32\"", "[2.0]", "[0,8]"),
      tensor("a size that is a string", "\"F32\"", "[\"2\"]", "[0,8]"),
      tensor("a size of 2^63", "\"F32\"", "[9223372036854775808]", "[0,8]"),
      tensor("a size over 2^64", "\"F32\"", "[18446744073709551618]", "[0,8]"),
      tensor("a product that wraps round to eight bytes", "\"F32\"", "[4611686018427387906]", "[0,8]"),
      tensor("a product of two that wraps round", "\"F32\"", "[4294967296,4294967296]", "[0,8]"),
      tensor("a zero that hides a product too large", "\"F32\"", "[0,4294967296,4294967296]", "[0,0]"),
      tensor("41 dimensions", "\"F64\"", deep_shape, "[0,8]"),
      tensor("three offsets", "\"F32\"", "[2]", "[0,8,8]"),
      tensor("one offset", "\"F32\"", "[2]", "[0]"),
      tensor("offsets that are strings", "\"F32\"", "[2]", "[\"0\",\"8\"]"),
      tensor("fractional offsets", "\"F32\"", "[2]", "[0.0,8.0]"),
      tensor("a negative offset", "\"F32\"", "[2]", "[-8,0]"),
      tensor("an end before the beginning", "\"F32\"", "[2]", "[8,0]"),
      tensor("an end over the file", "\"F32\"", "[3]", "[0,12]"),
      tensor("a beginning over the file", "\"F32\"", "[2]", "[8,16]"),
      tensor("the largest offsets", "\"F32\"", "[2]", "[18446744073709551608,18446744073709551615]"),
      tensor("a range too short for the shape", "\"F32\"", "[2]", "[0,4]"),
      tensor("a range too long for the shape", "\"F32\"", "[1]", "[0,8]"),
      tensor("a scalar of eight bytes", "\"F32\"", "[]", "[0,8]"),
      tensor("a hole in front", "\"F32\"", "[1]", "[4,8]"),
      tensor("unused bytes at the end", "\"F32\"", "[1]", "[0,4]"),
      header("data missing altogether", "{\"a\":" + entry("\"F32\"", "[2]", "[0,8]") + "}", 0),
      header("data cut by one byte", "{\"a\":" + entry("\"F32\"", "[2]", "[0,8]") + "}", 7),
      header("one byte too many", "{\"a\":" + entry("\"F32\"", "[2]", "[0,8]") + "}", 9),
      header("data of no tensor", "{}", 4),
      header("two tensors over the same bytes", f32_pair("[0,4]", "[0,4]"), 4),
      header("a tensor inside another",
             "{\"a\":" + entry("\"F32\"", "[3]", "[0,12]") + ",\"b\":" + entry("\"F32\"", "[1]", "[4,8]") + "}", 12),
      header("an overlap of two bytes",
             "{\"a\":" + entry("\"F32\"", "[1]", "[0,4]") + ",\"b\":" + entry("\"F32\"", "[1]", "[2,6]") + "}", 6),
      header("a hole between two", f32_pair("[0,4]", "[8,12]"), 12),
      header("an empty tensor inside another",
             "{\"a\":" + entry("\"F32\"", "[2]", "[0,8]") + ",\"b\":" + entry("\"F32\"", "[0]", "[4,4]") + "}", 8),
  };
}

TEST_CASE("every broken safetensors file is refused as one") {
  const test::TemporaryFolder folder;
  std::size_t count = 0;
  for (const auto& cases : {length_cases(), header_cases(), tensor_cases()}) {
    for (const Case& bad : cases) {
      CAPTURE(bad.what);
      test::write_bytes(folder / "x.safetensors", bad.bytes);
      const auto file = SafetensorsFile::open(folder / "x.safetensors");
      REQUIRE_FALSE(file);
      CHECK(std::string(name(file.error().code)) == "bad-safetensors");
      CHECK(file.error().message.find("x.safetensors") != std::string::npos);
      ++count;
    }
  }
  MESSAGE(count << " files refused");
}

TEST_CASE("of two tensors over the same bytes it is said that they overlap, whatever hole that leaves") {
  const test::TemporaryFolder folder;
  const auto message_of = [&folder](const Case& bad) {
    test::write_bytes(folder / "x.safetensors", bad.bytes);
    return SafetensorsFile::open(folder / "x.safetensors").error().message;
  };
  const auto overlapping =
      message_of(header("b over the last four bytes, and the first four are nobody's", f32_pair("[4,8]", "[4,8]"), 8));
  CHECK(overlapping.find("overlaps another tensor's") != std::string::npos);
  CHECK(message_of(header("a hole alone", f32_pair("[0,4]", "[8,12]"), 12)).find("unused bytes before its data") !=
        std::string::npos);
}

TEST_CASE("what is no safetensors file at all is called that") {
  const test::TemporaryFolder folder;
  for (const char* text : {"", "short", "this is a text file and no safetensors file", "%PDF-1.7 and more of it"}) {
    CAPTURE(text);
    test::write_bytes(folder / "x", text);
    const auto file = SafetensorsFile::open(folder / "x");
    REQUIRE_FALSE(file);
    CHECK(file.error().message.find("no safetensors file") != std::string::npos);
    CHECK(file.error().hint.find("file you meant") != std::string::npos);
  }
  // A download that was cut is one, and says what is missing.
  test::write_bytes(folder / "x", with_length(1000, "{\"a\":"));
  CHECK(SafetensorsFile::open(folder / "x").error().message.find("over the file's") != std::string::npos);
}

TEST_CASE("a whole file cut at any byte is refused") {
  const test::TemporaryFolder folder;
  const std::string whole = test::safetensors_bytes(
      {test::random_tensor("a", {3, 2}, DType::f32, 1, 1.0F), test::random_tensor("b", {5}, DType::bf16, 2, 1.0F)},
      {{"format", "pt"}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    test::write_bytes(folder / "x", std::string_view(whole).substr(0, size));
    REQUIRE_FALSE(SafetensorsFile::open(folder / "x"));
  }
  test::write_bytes(folder / "x", whole);
  CHECK(SafetensorsFile::open(folder / "x"));
}

}  // namespace
}  // namespace natscope
