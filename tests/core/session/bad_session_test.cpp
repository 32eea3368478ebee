// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <functional>

#include "core/session/session_file.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/peak_memory.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::LooseFile;
using Spoil = std::function<void(LooseFile&)>;

Spoil meta(const char* key, const char* value) {
  return [=](LooseFile& file) { file.metadata[key] = value; };
}
Spoil filled(const char* name, int byte) {
  return [=](LooseFile& file) { file.fill(name, byte); };
}
Spoil as(const char* name, DType dtype, std::vector<std::int64_t> shape) {
  return [=](LooseFile& file) { file.replace(name, dtype, shape); };
}

TEST_CASE("bad sessions are refused, and nothing is allocated on their say-so") {
  struct Case {
    const char* what;
    Spoil spoil;
  };
  const Case cases[] = {
      {"a trace's format", meta("format", "natscope-trace")},
      {"a later version", meta("version", "9")},
      {"no policy", [](LooseFile& file) { file.metadata.erase("policy"); }},
      {"no layers", meta("layers", "0")},
      {"other layers than roles has", meta("layers", "3")},
      {"layers and heads beyond any model",
       [](LooseFile& file) { file.metadata["layers"] = file.metadata["kv_heads"] = "65536"; }},
      {"layers and query heads beyond any model", meta("heads", "1048576")},
      {"layers over 32 bits", meta("layers", "99999999999")},
      {"heads that do not fit", meta("heads", "3")},
      {"no head size", [](LooseFile& file) { file.metadata.erase("head_dim"); }},
      {"a head size below 0", meta("head_dim", "-8")},
      {"a cache dtype that is none", meta("cache_dtype", "float8")},
      {"neither true nor false", meta("greedy", "maybe")},
      {"scores that are promised", [](LooseFile& file) { file.remove("frame_scores"); }},
      {"a temperature that is no number", meta("temperature", "warm")},
      {"a temperature of nan", meta("temperature", "nan")},
      {"top_k over 32 bits", meta("top_k", "4294967296")},
      {"a prompt longer than the session", meta("prompt_tokens", "8")},
      {"a role over 2", filled("roles", 7)},
      {"a negative token", filled("tokens", 0xff)},
      {"a negative count", filled("held_entries", 0xff)},
      {"negative entries", filled("kv_entries", 0xff)},
      {"entries that its roles do not leave", filled("kv_entries", 0)},
      {"more entries than there are", filled("held_entries", 0x01)},
      {"bytes that its entries do not take", filled("live_bytes", 0x01)},
      {"bytes of another model", filled("dense_bytes", 0x01)},
      {"bytes of another head size", meta("head_dim", "16")},
      {"a share that its entries are not", filled("kv_fraction", 0x3f)},
      {"a paper's share that its entries are not", filled("paper_kv_fraction", 0x3f)},
      {"scores that are no numbers", filled("frame_scores", 0xff)},
      {"sliding tokens without a window", meta("window", "")},
      {"a map of another model", meta("maps", "99.99")},
      {"a share that is not a number", filled("kv_fraction", 0xff)},
      {"a probability that is not a number", filled("probability", 0xff)},
      {"a probability over 1", filled("probability", 0x40)},
      {"text ends that descend", filled("text_ends", 0xff)},
      {"text ends before its text", filled("text_ends", 0)},
      {"text ends far behind its text", filled("text_ends", 0x7f)},
      {"text that is not UTF-8", filled("text_bytes", 0xff)},
      {"a prompt that is not UTF-8", filled("prompt_bytes", 0xff)},
      {"names that are not UTF-8", filled("name_bytes", 0xff)},
      {"candidate ends that lie", filled("candidate_ends", 0x7f)},
      {"negative candidates", filled("candidate_tokens", 0xff)},
      {"candidates without probabilities", as("candidate_probabilities", DType::f32, {3})},
      {"evicted entries of another shape", as("evicted", DType::i32, {3})},
      {"evicted entries outside the model", filled("evicted", 0x7f)},
      {"evicted ends that lie", filled("evicted_ends", 0x7f)},
      {"name ends that lie", filled("name_ends", 0x7f)},
      {"tokens of two axes", as("tokens", DType::i64, {7, 1})},
      {"follow-ups within the prompt", meta("follow_ups", "3-5")},
      {"follow-ups over each other", meta("follow_ups", "4-6,5-7")},
      {"follow-ups beyond the text", meta("follow_ups", "4-8")},
      {"follow-ups of nothing", meta("follow_ups", "4-4")},
      {"follow-ups that are none", meta("follow_ups", "4-5,")},
      {"neither a chat turn nor none", meta("chat_turn", "maybe")},
      {"a chosen layer beyond the model", meta("view_layer", "2")},
      {"a chosen head that is none", meta("view_head", "-1")},
      {"a pinned token beyond the text", meta("view_pinned", "1,7")},
      {"pinned tokens that are none", meta("view_pinned", "1,,2")},
      {"more pinned tokens than are kept",
       [](LooseFile& file) {
         std::string& list = file.metadata["view_pinned"] = "1";
         for (std::size_t i = 0; i < most_pinned; ++i) list += ",1";
       }},
      {"a chosen query beyond the text", meta("view_query", "7")},
      {"a kept run that says too little", meta("kept.format", "natscope-session")},
      {"a kept run without its tensors",
       [](LooseFile& file) {
         const auto metadata = file.metadata;
         for (const auto& [key, text] : metadata) file.metadata["kept." + key] = text;
       }},
      {"a missing column", [](LooseFile& file) { file.remove("step_ms"); }},
  };
  const test::TemporaryFolder folder;
  Session session = test::recorded_session();
  session.view = SessionView{LayerId(1), HeadId(0), {TokenPos(3)}, TokenPos(2)};
  REQUIRE(write_session(folder / "good", session));
  for (const Case& test : cases) {
    CAPTURE(test.what);
    LooseFile file = LooseFile::of(folder / "good");
    test.spoil(file);
    file.write(folder / "bad");
    const auto read = read_session(folder / "bad");
    REQUIRE_FALSE(read);
    CHECK_MESSAGE(read.error().code == ErrorCode::bad_session, read.error().message);
  }
}

TEST_CASE("tokens without the rest of their frames are refused before frames are made") {
  const test::TemporaryFolder folder;
  REQUIRE(write_session(folder / "good", test::recorded_session()));
  LooseFile file = LooseFile::of(folder / "good");
  constexpr std::int64_t tokens = 1 << 20;
  file.replace("tokens", DType::i64, {tokens});
  file.write(folder / "bad");
  const std::int64_t held =
      test::peak_memory_of([&] { CHECK(read_session(folder / "bad").error().code == ErrorCode::bad_session); });
  // A frame alone has more than 200 bytes.
  CHECK(held < 64 * tokens);
}

}  // namespace
}  // namespace natscope
