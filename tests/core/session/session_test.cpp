// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/session_file.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/session/trace_file.h"
#include "core/session/trace_sequence.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::LooseFile;
using test::TemporaryFolder;

/// A trace with what the command line's contract asks for and nothing else, as earlier versions wrote them.
Session poorest_session(const std::filesystem::path& path) {
  const SequenceRecord record = test::consistent_run();
  REQUIRE(write_trace(path, test::run_trace(record)));
  LooseFile file = LooseFile::of(path);
  std::erase_if(file.metadata, [](const auto& entry) {
    static constexpr std::string_view contract[] = {
        "format", "version", "maps", "window", "dtype", "seed", "model_sha256", "prompt_sha256", "natscope_version"};
    return std::ranges::find(contract, entry.first) == std::end(contract);
  });
  file.metadata["maps"] = "";
  std::erase_if(file.tensors, [](const TensorToWrite& tensor) {
    static constexpr std::string_view contract[] = {"tokens", "roles", "kv_entries", "kv_allocated_bytes"};
    return std::ranges::find(contract, tensor.name) == std::end(contract);
  });
  file.write(path);
  const auto trace = TraceFile::open(path);
  REQUIRE_MESSAGE(trace, trace.error().message);
  const auto made = session_of(*trace, std::nullopt);
  REQUIRE_MESSAGE(made, made.error().message);
  return *made;
}

TEST_CASE("a session comes back as it was") {
  const TemporaryFolder folder;
  const Session session = test::recorded_session();
  REQUIRE(write_session(folder / "s.natscope", session));
  const auto back = read_session(folder / "s.natscope");
  REQUIRE_MESSAGE(back, back.error().message);
  CHECK(back->prompt == session.prompt);
  CHECK(back->prompt_tokens == session.prompt_tokens);
  CHECK(back->sampling == session.sampling);
  CHECK(back->max_new_tokens == session.max_new_tokens);
  CHECK(back->policy == session.policy);
  CHECK(back->model_path == session.model_path);
  CHECK(back->adapter_path == session.adapter_path);
  CHECK(back->provenance == session.provenance);
  CHECK(back->token_texts == session.token_texts);
  CHECK(back->follow_ups == session.follow_ups);
  CHECK(back->is_chat_turn == session.is_chat_turn);
  CHECK(back->record.window() == session.record.window());
  REQUIRE(back->record.size() == session.record.size());
  for (std::int64_t t = 0; t < session.record.size(); ++t) {
    CAPTURE(t);
    const TokenFrame& was = session.record.frame(TokenPos(static_cast<std::int32_t>(t)));
    const TokenFrame& is = back->record.frame(TokenPos(static_cast<std::int32_t>(t)));
    CHECK(is.token == was.token);
    CHECK(is.text == was.text);
    CHECK(is.generated == was.generated);
    CHECK(is.roles == was.roles);
    CHECK(is.scores == was.scores);
    CHECK(is.entries == was.entries);
    CHECK(is.counts == was.counts);
    CHECK(is.probability == was.probability);
    CHECK(is.candidates == was.candidates);
    CHECK(is.evicted == was.evicted);
    CHECK(is.step_ms == was.step_ms);
  }
}

TEST_CASE("an empty session and one without scores come back") {
  const TemporaryFolder folder;
  Session session = test::recorded_session();
  session.record = SequenceRecord({1, 1, 8, kernels::ElementType::bf16}, false, std::nullopt);
  session.provenance.window.reset();
  session.prompt_tokens = 0;
  session.follow_ups.reset();
  session.token_texts.clear();
  REQUIRE(write_session(folder / "s.natscope", session));
  const auto back = read_session(folder / "s.natscope");
  REQUIRE_MESSAGE(back, back.error().message);
  CHECK(back->record.size() == 0);
  CHECK_FALSE(back->record.has_scores());
  CHECK_FALSE(back->record.window());
}

TEST_CASE("a session keeps what was chosen and the run that it was compared with") {
  const TemporaryFolder folder;
  Session session = test::recorded_session();
  session.view = SessionView{LayerId(1), HeadId(0), {TokenPos(3), TokenPos(0)}, TokenPos(4)};
  Session kept = test::recorded_session();
  kept.record = SequenceRecord({1, 1, 8, kernels::ElementType::f32}, false, 5);
  kept.provenance.window = 5;
  kept.prompt_tokens = 0;
  kept.follow_ups.emplace();
  kept.policy = "window:5";
  kept.model_path = "another model";
  session.kept = std::make_shared<const Session>(kept);
  REQUIRE(write_session(folder / "s", session));
  const auto back = read_session(folder / "s");
  REQUIRE_MESSAGE(back, back.error().message);
  CHECK(back->view == session.view);
  REQUIRE(back->kept);
  CHECK(back->kept->policy == "window:5");
  CHECK(back->kept->model_path == "another model");
  CHECK(back->kept->record.geometry().layers == 1);
  CHECK(back->kept->record.size() == 0);
  CHECK_FALSE(back->kept->kept);
  CHECK(back->record.size() == session.record.size());

  // Nothing chosen; and more than is kept, of which the last ones count.
  session.kept = nullptr;
  session.view = SessionView{};
  REQUIRE(write_session(folder / "s", session));
  CHECK(read_session(folder / "s")->view == session.view);
  CHECK_FALSE(read_session(folder / "s")->kept);
  session.view->pinned.assign(most_pinned, TokenPos(1));
  session.view->pinned.insert(session.view->pinned.begin(), TokenPos(2));
  REQUIRE(write_session(folder / "s", session));
  CHECK(read_session(folder / "s")->view->pinned == std::vector<TokenPos>(most_pinned, TokenPos(1)));
}

TEST_CASE("what a run does not know stays unknown, and takes nothing else with it") {
  const TemporaryFolder folder;
  const Session poor = poorest_session(folder / "trace");
  REQUIRE(poor.record.geometry().head_dim == 0);
  Session session = test::recorded_session();
  session.kept = std::make_shared<const Session>(poor);
  REQUIRE(write_session(folder / "s", session));
  const auto back = read_session(folder / "s");
  REQUIRE_MESSAGE(back, back.error().message);
  CHECK(back->record.size() == session.record.size());
  REQUIRE(back->kept);
  CHECK(back->kept->record.size() == poor.record.size());
  CHECK(back->kept->record.geometry().head_dim == 0);
  CHECK_FALSE(back->kept->provenance.head_dim);
  CHECK_FALSE(back->kept->provenance.heads);
  CHECK_FALSE(back->kept->provenance.sampling);

  // As the only run in its file, and of a file of an earlier version, which wrote 0.
  Session alone = poor;
  alone.view = SessionView{LayerId(1), HeadId(1), {}, std::nullopt};
  REQUIRE(write_session(folder / "alone", alone));
  LooseFile file = LooseFile::of(folder / "alone");
  CHECK(file.metadata["head_dim"].empty());
  file.metadata["head_dim"] = "0";
  file.write(folder / "earlier");
  for (const char* const name : {"alone", "earlier"}) {
    const auto read = read_session(folder / name);
    REQUIRE_MESSAGE(read, read.error().message);
    CHECK_FALSE(read->provenance.head_dim);
    CHECK(read->record.size() == poor.record.size());
    CHECK(read->view == alone.view);
  }
}

TEST_CASE("a session holds whatever shape a trace may have") {
  const TemporaryFolder folder;
  constexpr std::int32_t most = 1 << 18;
  for (const auto& [layers, kv_heads] : {std::pair{most, 1}, std::pair{1, most}}) {
    Session session;
    session.record = SequenceRecord({layers, kv_heads, 1 << 20, kernels::ElementType::f32}, false, std::nullopt);
    session.provenance.dtype = "float32";
    session.provenance.head_dim = 1 << 20;
    session.view = SessionView{LayerId(layers - 1), HeadId(kv_heads - 1), {}, std::nullopt};
    REQUIRE(write_session(folder / "s", session));
    const auto back = read_session(folder / "s");
    REQUIRE_MESSAGE(back, back.error().message);
    const CacheGeometry& geometry = back->record.geometry();
    CHECK(geometry.layers == layers);
    CHECK(geometry.kv_heads == kv_heads);
    CHECK(geometry.head_dim == 1 << 20);
    CHECK(back->view == session.view);
  }
}

TEST_CASE("files say what they are") {
  const TemporaryFolder folder;
  REQUIRE(write_session(folder / "s", test::recorded_session()));
  const SequenceRecord record = test::recorded_run();
  REQUIRE(write_trace(folder / "t", test::run_trace(record)));
  REQUIRE(write_safetensors(folder / "o", {}, {{"format", "pt"}}));
  CHECK(*recorded_format(folder / "s") == "natscope-session");
  CHECK(*recorded_format(folder / "t") == "natscope-trace");
  CHECK(recorded_format(folder / "o")->empty());
  CHECK_FALSE(recorded_format(folder / "none"));
}

}  // namespace
}  // namespace natscope
