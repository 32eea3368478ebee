// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/trace_file.h"

#include <doctest/doctest.h>

#include "core/session/roles_file.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::recorded_run;
using test::run_tokens;
using test::run_trace;
using test::TemporaryFolder;

TEST_CASE("a trace holds what the contract says, by name, dtype and shape") {
  const TemporaryFolder folder;
  const SequenceRecord record = recorded_run();
  REQUIRE(write_trace(folder / "t.safetensors", run_trace(record)));
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  REQUIRE(file);
  struct Wanted {
    const char* name;
    DType dtype;
    std::vector<std::int64_t> shape;
  };
  const Wanted wanted[] = {{"tokens", DType::i64, {7}},           {"roles", DType::u8, {2, 2, 7}},
                           {"kv_entries", DType::i32, {7, 2, 2}}, {"kv_allocated_bytes", DType::i64, {7}},
                           {"logits", DType::f32, {7, 5}},        {"scores", DType::f32, {2, 2, 7, 3}},
                           {"attention", DType::f32, {2, 7, 7}},  {"visible", DType::u8, {2, 7, 7}},
                           {"probability", DType::f32, {7}}};
  CHECK(file->tensors().size() == std::size(wanted));
  for (const Wanted& tensor : wanted) {
    CAPTURE(tensor.name);
    const TensorInfo* found = file->find(tensor.name);
    REQUIRE(found != nullptr);
    CHECK(found->dtype == tensor.dtype);
    CHECK(found->shape == tensor.shape);
  }
  const auto& metadata = file->metadata();
  CHECK(metadata.at("format") == "natscope-trace");
  CHECK(metadata.at("version") == "1");
  CHECK(metadata.at("maps") == "0.1,1.3");
  CHECK(metadata.at("window") == "2");
  CHECK(metadata.at("dtype") == "float32");
  CHECK(metadata.at("seed") == "18446744073709551615");
  CHECK(metadata.at("model_sha256") == std::string(64, 'a'));
  CHECK(metadata.at("natscope_version") == "0.1.0");
  CHECK(metadata.at("prompt_sha256").size() == 64);

  const auto scores = tensor_values<float>(*file->find("scores"));
  REQUIRE(scores);
  // scores[layer 1, kv head 0, token 3] of the frame's [layers, kv_heads, 3]
  for (std::size_t option = 0; option < 3; ++option) {
    CHECK((*scores)[((1 * 2 + 0) * 7 + 3) * 3 + option] == record.frame(TokenPos(3)).scores[2 * 3 + option]);
  }
}

TEST_CASE("a trace reads back") {
  const TemporaryFolder folder;
  const SequenceRecord record = recorded_run();
  REQUIRE(write_trace(folder / "t.safetensors", run_trace(record)));
  const auto trace = TraceFile::open(folder / "t.safetensors");
  REQUIRE_MESSAGE(trace, trace.error().message);
  CHECK(trace->tokens_count() == run_tokens);
  CHECK(trace->layers() == 2);
  CHECK(trace->kv_heads() == 2);
  CHECK(trace->prompt_tokens() == 4);
  CHECK(trace->tokens() == std::vector<std::int32_t>{100, 101, 102, 103, 104, 105, 106});
  const auto roles = trace->roles();
  const auto entries = trace->kv_entries();
  for (std::size_t t = 0; t < 7; ++t) {
    for (std::size_t head = 0; head < 4; ++head) {
      CHECK(roles[head * 7 + t] == record.frames()[t].roles[head]);
      CHECK(entries[t * 4 + head] == record.frames()[t].entries[head]);
    }
  }
  CHECK(trace->kv_allocated_bytes() == std::vector<std::int64_t>(7, 2048));
  Provenance provenance = run_trace(record).provenance;
  CHECK(trace->provenance() == provenance);

  const MapId map{LayerId(1), HeadId(3)};
  const auto index = trace->map_index(map);
  REQUIRE(index);
  CHECK_FALSE(trace->map_index({LayerId(1), HeadId(2)}));
  std::vector<float> weights(2 * 3);
  std::vector<std::uint8_t> visible(2 * 3);
  REQUIRE(trace->read_map(*index, TokenPos(4), 2, TokenPos(3), 3, weights, visible));
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t column = 0; column < 3; ++column) {
      const auto cell = static_cast<std::size_t>(row * 3 + column);
      CHECK(weights[cell] == test::made_up_weight(map, 4 + row, 3 + column, visible[cell] != 0));
    }
  }
  CHECK(visible[1] == 1);  // a token sees itself
  CHECK(visible[2] == 0);  // nothing sees the future
  CHECK_FALSE(trace->read_map(*index, TokenPos(6), 2, TokenPos(0), 1, {}, {}));
  CHECK_FALSE(trace->read_map(7, TokenPos(0), 1, TokenPos(0), 1, {}, {}));
}

TEST_CASE("what was not asked for is not in the file") {
  const TemporaryFolder folder;
  const SequenceRecord record = recorded_run();
  TraceContent content;
  content.record = &record;
  content.provenance = test::run_provenance();
  content.provenance.window.reset();
  REQUIRE(write_trace(folder / "t.safetensors", content));
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  REQUIRE(file);
  CHECK(file->tensors().size() == 5);
  CHECK(file->metadata().at("window").empty());
  CHECK(file->metadata().at("maps").empty());
  CHECK(TraceFile::open(folder / "t.safetensors"));
}

TEST_CASE("an error while rows are produced leaves the old file") {
  const TemporaryFolder folder;
  test::write_bytes(folder / "t.safetensors", "old");
  const SequenceRecord record = recorded_run();
  TraceContent content = run_trace(record);
  content.map_rows = [](const MapId&, TokenPos, std::int64_t, std::span<float>,
                        std::span<std::uint8_t>) -> Expected<void> { return fail(ErrorCode::interrupted, "stopped"); };
  const auto written = write_trace(folder / "t.safetensors", content);
  REQUIRE_FALSE(written);
  CHECK(written.error().code == ErrorCode::interrupted);
  CHECK(test::read_bytes(folder / "t.safetensors") == "old");
  CHECK(folder.names() == std::vector<std::string>{"t.safetensors"});
}

TEST_CASE("a trace is a roles file") {
  const TemporaryFolder folder;
  const SequenceRecord record = recorded_run();
  REQUIRE(write_trace(folder / "t.safetensors", run_trace(record)));
  const auto roles = read_roles_file(folder / "t.safetensors");
  REQUIRE(roles);
  CHECK(roles->layers == 2);
  CHECK(roles->kv_heads == 2);
  CHECK(roles->length == 7);
  CHECK(roles->at(LayerId(1), KvHeadId(0), TokenPos(3)) == record.roles(LayerId(1), KvHeadId(0))[3]);
}

}  // namespace
}  // namespace natscope
