// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <functional>
#include <span>

#include "core/session/roles_file.h"
#include "core/session/trace_file.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::LooseFile;
using test::TemporaryFolder;

struct Case {
  const char* what;
  std::function<void(LooseFile&)> spoil;
  ErrorCode code = ErrorCode::bad_trace;
};

std::function<void(LooseFile&)> meta(const char* key, const char* value) {
  return [=](LooseFile& file) { file.metadata[key] = value; };
}
std::function<void(LooseFile&)> no_meta(const char* key) {
  return [=](LooseFile& file) { file.metadata.erase(key); };
}
std::function<void(LooseFile&)> no_tensor(const char* name) {
  return [=](LooseFile& file) { file.remove(name); };
}
std::function<void(LooseFile&)> as(const char* name, DType dtype, std::vector<std::int64_t> shape) {
  return [=](LooseFile& file) { file.replace(name, dtype, shape); };
}
std::function<void(LooseFile&)> filled(const char* name, int byte) {
  return [=](LooseFile& file) { file.fill(name, byte); };
}

/// A good trace, spoiled as each case says, is refused with the case's code by `open(path)`.
template <class Open>
void check_refused(std::span<const Case> cases, const TemporaryFolder& folder, const Open& open) {
  const SequenceRecord record = test::recorded_run();
  REQUIRE(write_trace(folder / "good.safetensors", test::run_trace(record)));
  for (const Case& test : cases) {
    CAPTURE(test.what);
    LooseFile file = LooseFile::of(folder / "good.safetensors");
    test.spoil(file);
    file.write(folder / "bad.safetensors");
    const auto opened = open(folder / "bad.safetensors");
    REQUIRE_FALSE(opened);
    CHECK_MESSAGE(opened.error().code == test.code, opened.error().message);
  }
}

TEST_CASE("bad traces are refused, each with its code") {
  const Case cases[] = {
      {"no format", no_meta("format")},
      {"another format", meta("format", "natscope-session")},
      {"a later version", meta("version", "2")},
      {"no version", no_meta("version")},
      {"no maps", no_meta("maps")},
      {"maps that are none", meta("maps", "0.1;1.3")},
      {"maps that end in a comma", meta("maps", "0.1,1.3,")},
      {"a negative map", meta("maps", "0.1,-1.3")},
      {"fewer maps than attention has", meta("maps", "0.1")},
      {"maps of a layer that is not there", meta("maps", "0.1,5.3")},
      {"maps of a head that is not there", meta("maps", "0.1,1.9")},
      {"maps of a head beyond every model, where heads are not said",
       [](LooseFile& file) {
         file.metadata.erase("heads");
         file.metadata["maps"] = "0.1,1.2147483647";
       }},
      {"the same map twice", meta("maps", "0.1,0.1")},
      {"a control character", meta("model_sha256", "a\x01")},
      {"a policy with a line break", meta("policy", "model:\nx")},
      {"no window key", no_meta("window")},
      {"a window that is no number", meta("window", "wide")},
      {"a negative window", meta("window", "-1")},
      {"a window longer than any text", meta("window", "2147483648")},
      {"a window set by hand longer than any text", meta("set_window", "9223372036854775807")},
      {"a dtype that is none", meta("dtype", "int3")},
      {"no dtype", no_meta("dtype")},
      {"a seed that is no number", meta("seed", "0x10")},
      {"a seed over 64 bits", meta("seed", "18446744073709551616")},
      {"no model_sha256", no_meta("model_sha256")},
      {"no prompt_sha256", no_meta("prompt_sha256")},
      {"no natscope_version", no_meta("natscope_version")},
      {"heads that do not fit", meta("heads", "3")},
      {"layers and query heads beyond any model", meta("heads", "1048576")},
      {"a prompt longer than the trace", meta("prompt_tokens", "8")},
      {"texts that are no JSON", meta("token_texts", "[\"a\"")},
      {"texts that are no list", meta("token_texts", "{}")},
      {"too few texts", meta("token_texts", "[\"a\",\"b\"]")},
      {"too many texts", meta("token_texts", R"(["a","b","c","d","e","f","g","h"])")},
      {"texts that are none", meta("token_texts", "[1,2,3,4,5,6,7]")},
      {"texts in lists", meta("token_texts", "[[[[[[[]]]]]]]")},
      {"texts without an end", [](LooseFile& file) { file.metadata["token_texts"] = std::string(17U << 20U, '['); }},
      {"names that are a list", meta("token_names", "[]")},
      {"names of no token", meta("token_names", R"({"-1":"a"})")},
      {"a name that is none", meta("token_names", R"({"1":2})")},
      {"no tokens", no_tensor("tokens")},
      {"no roles", no_tensor("roles")},
      {"no kv_entries", no_tensor("kv_entries")},
      {"no kv_allocated_bytes", no_tensor("kv_allocated_bytes")},
      {"tokens of another type", as("tokens", DType::i32, {7})},
      {"too few tokens", as("tokens", DType::i64, {6})},
      {"roles of two axes", as("roles", DType::u8, {4, 7})},
      {"roles of no length", as("roles", DType::u8, {2, 2, 0})},
      {"entries turned round", as("kv_entries", DType::i32, {2, 2, 7})},
      {"allocated of another length", as("kv_allocated_bytes", DType::i64, {8})},
      {"logits of another length", as("logits", DType::f32, {6, 5})},
      {"scores without options", as("scores", DType::f32, {2, 2, 7})},
      {"attention without visible", no_tensor("visible")},
      {"visible without attention", no_tensor("attention")},
      {"attention that is not square", as("attention", DType::f32, {2, 7, 6})},
      {"visible as floats", as("visible", DType::f32, {2, 7, 7})},
      {"a role over 2", filled("roles", 3)},
      {"a negative token", filled("tokens", 0xff)},
      {"probabilities of another length", as("probability", DType::f32, {6})},
      {"probabilities that are no numbers", filled("probability", 0xff)},
      {"a probability over 1", filled("probability", 0x41)},
      {"a negative count", filled("kv_entries", 0xff)},
      {"negative bytes", filled("kv_allocated_bytes", 0xff)},
  };
  const TemporaryFolder folder;
  check_refused(cases, folder, TraceFile::open);
  CHECK(TraceFile::open(folder / "none.safetensors").error().code == ErrorCode::file_not_found);
  CHECK(TraceFile::open(folder.path()).error().code == ErrorCode::not_a_regular_file);
  test::write_bytes(folder / "text.safetensors", "this is text, not tensors");
  CHECK(TraceFile::open(folder / "text.safetensors").error().code == ErrorCode::bad_safetensors);
}

TEST_CASE("what H2O dropped must have been there, once") {
  const TemporaryFolder folder;
  const SequenceRecord record = test::h2o_run();
  REQUIRE(write_trace(folder / "good.safetensors", test::h2o_trace(record)));
  REQUIRE(TraceFile::open(folder / "good.safetensors"));
  const Case cases[] = {
      {"entries without ends", no_tensor("evicted_ends")},
      {"ends without entries", no_tensor("evicted")},
      {"entries of two numbers", as("evicted", DType::i32, {24, 2})},
      {"ends of another length", as("evicted_ends", DType::i64, {8})},
      {"ends before the list's end", as("evicted_ends", DType::i64, {7})},
      {"ends that are negative", filled("evicted_ends", 0xff)},
      {"ends after the list's end", filled("evicted_ends", 0x01)},
      {"negative entries", filled("evicted", 0xff)},
      {"entries of no layer", filled("evicted", 0x02)},
      {"the same entry again", as("evicted", DType::i32, {16, 3})},
      {"dropped entries beside a policy with roles", meta("policy", "streaming:2,4")},
      {"dropped entries of a method that is called as one", meta("policy", "window")},
  };
  for (const Case& test : cases) {
    CAPTURE(test.what);
    LooseFile file = LooseFile::of(folder / "good.safetensors");
    test.spoil(file);
    file.write(folder / "bad.safetensors");
    const auto opened = TraceFile::open(folder / "bad.safetensors");
    REQUIRE_FALSE(opened);
    CHECK_MESSAGE(opened.error().code == test.code, opened.error().message);
  }
}

TEST_CASE("another program's method is taken by its name, where the trace says what it dropped") {
  const TemporaryFolder folder;
  const SequenceRecord record = test::h2o_run();
  REQUIRE(write_trace(folder / "good.safetensors", test::h2o_trace(record)));
  LooseFile file = LooseFile::of(folder / "good.safetensors");
  const auto opened = [&file, &folder](std::string name) {
    file.metadata["policy"] = std::move(name);
    file.write(folder / "other.safetensors");
    return TraceFile::open(folder / "other.safetensors");
  };
  CHECK(opened("SnapKV 512"));
  CHECK(opened(std::string(100, 'x')));
  // What does not fit a title: too long, with a line break.
  for (const std::string& name : {std::string(101, 'x'), std::string("a\nb")}) {
    const auto trace = opened(name);
    REQUIRE_FALSE(trace);
    CHECK(trace.error().message.find("policy") != std::string::npos);
  }
  file.remove("evicted");
  file.remove("evicted_ends");
  CHECK(opened("h2o:2,1"));  // of an earlier version
  const auto silent = opened("SnapKV 512");
  REQUIRE_FALSE(silent);
  CHECK(silent.error().message.find("SnapKV 512") != std::string::npos);
}

TEST_CASE("a stored map that holds no weights or no marks is refused where it is read") {
  const TemporaryFolder folder;
  const SequenceRecord record = test::recorded_run();
  REQUIRE(write_trace(folder / "good.safetensors", test::run_trace(record)));
  for (const auto& spoil : {filled("attention", 0xff), filled("attention", 0x80), filled("visible", 2)}) {
    LooseFile file = LooseFile::of(folder / "good.safetensors");
    spoil(file);
    file.write(folder / "bad.safetensors");
    const auto opened = TraceFile::open(folder / "bad.safetensors");
    REQUIRE(opened);
    std::vector<float> weights(49);
    std::vector<std::uint8_t> visible(49);
    const auto read = opened->read_map(0, TokenPos(0), 7, TokenPos(0), 7, weights, visible);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ErrorCode::bad_trace);
  }
}

TEST_CASE("bad role files are refused, each with its code") {
  const Case cases[] = {
      {"no roles", no_tensor("roles"), ErrorCode::bad_roles},
      {"roles as floats", as("roles", DType::f32, {2, 2, 7}), ErrorCode::bad_roles},
      {"roles as I64", as("roles", DType::i64, {2, 2, 7}), ErrorCode::bad_roles},
      {"one axis", as("roles", DType::u8, {28}), ErrorCode::bad_roles},
      {"four axes", as("roles", DType::u8, {1, 2, 2, 7}), ErrorCode::bad_roles},
      {"no layers", as("roles", DType::u8, {0, 2, 7}), ErrorCode::bad_roles},
      {"no KV heads", as("roles", DType::u8, {2, 0, 7}), ErrorCode::bad_roles},
      {"no tokens", as("roles", DType::u8, {2, 2, 0}), ErrorCode::bad_roles},
      {"a role of 3", filled("roles", 3), ErrorCode::bad_roles},
      {"a role of 255", filled("roles", 255), ErrorCode::bad_roles},
  };
  const TemporaryFolder folder;
  check_refused(cases, folder, read_roles_file);
  CHECK(read_roles_file(folder / "none.safetensors").error().code == ErrorCode::file_not_found);
}

}  // namespace
}  // namespace natscope
