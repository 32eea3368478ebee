// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/session_file.h"

#include <doctest/doctest.h>

#include "core/session/trace_file.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::TemporaryFolder;

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
