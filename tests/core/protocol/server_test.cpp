// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/server.h"

#include <doctest/doctest.h>

#include "tests/core/protocol/server_conversation.h"

namespace natscope {
namespace {

using namespace std::chrono_literals;
using test::Conversation;
using test::MadeUpHost;

AnalyseMessage prompt(const std::string& text) { return AnalyseMessage{text, {}, 512, 2}; }

/// As requests 1 and 2, of generation 1.
void open_model(Conversation& talk) {
  talk.hello();
  talk.send(2, 1, OpenMessage{"m", {}, Device::automatic, {}, 0, 0});
}

/// Request 4 generates without an end, and has begun.
void generate_on_and_on(Conversation& talk) {
  open_model(talk);
  talk.send(3, 1, prompt("abc"));
  talk.send(4, 1, GenerateMessage{1'000'000, {}, {}, 0});
  while (talk.wait_for<FramesMessage>().first.id != 4) {
  }
}

/// Frames until `count` of them came; each must be the next one, and named tokens must have names.
void wait_for_frames(Conversation& talk, SequenceRecord& record, std::int64_t count) {
  while (record.size() < count) {
    for (TokenFrame& frame : talk.wait_for<FramesMessage>().second.frames) {
      const auto appended = record.append(std::move(frame));
      REQUIRE_MESSAGE(appended, appended.error().message);
    }
  }
}

TEST_CASE("a whole conversation: hello, open, analyse, generate, step, tile, weights, end") {
  MadeUpHost host;
  Conversation talk(host);
  talk.hello();
  CHECK(talk.wait_for<HelloMessage>().second.program == "made-up 1");
  talk.send(2, 1, OpenMessage{"some/model", {}, Device::automatic, {}, 0, 0});
  CHECK(talk.wait_for<OpenedMessage>().second.model.path == "some/model");
  talk.send(3, 2, prompt("abcde"));
  const auto started = talk.wait_for<StartedMessage>();
  CHECK(started.first.id == 3);
  CHECK(started.first.generation == 2);
  CHECK(started.second.prompt_tokens == 5);
  SequenceRecord record(started.second.geometry, started.second.has_scores, started.second.window);
  wait_for_frames(talk, record, 5);
  CHECK(talk.wait_for<ReadyMessage>().second.tokens == 5);
  talk.send(4, 2, GenerateMessage{30, {}, {}, 2});
  wait_for_frames(talk, record, 35);
  CHECK(talk.wait_for<FinishedMessage>().second.generated == 30);
  talk.send(5, 2, StepMessage{});
  wait_for_frames(talk, record, 36);
  CHECK(talk.wait_for<FinishedMessage>().second.generated == 1);
  talk.send(9, 2, FollowUpMessage{"fgh"});
  wait_for_frames(talk, record, 39);
  const auto ready = talk.wait_for<ReadyMessage>();
  CHECK(ready.first.id == 9);
  CHECK(ready.second.tokens == 3);
  CHECK(ready.second.note == "made up");
  talk.send(10, 2, GenerateMessage{1, {}, {}, 2});
  wait_for_frames(talk, record, 40);
  CHECK(talk.wait_for<FinishedMessage>().second.generated == 1);
  const TileKey key{LayerId(0), HeadId(1), 0, 0, 0};
  talk.send(6, 2, TileRequestMessage{key});
  const auto tile = talk.wait_for<TileMessage>();
  CHECK(tile.first.id == 6);
  CHECK(tile.second.tile.key == key);
  CHECK(tile.second.tile.compared_run == 0);
  talk.send(11, 2, TileRequestMessage{key, 5, {1, 2, 3}});
  const auto compared = talk.wait_for<TileMessage>();
  CHECK(compared.first.id == 11);
  CHECK(compared.second.tile.compared_run == 5);
  REQUIRE(compared.second.tile.summary);
  CHECK(compared.second.tile.summary->compared_queries == 3);
  talk.send(7, 2, WeightsRequestMessage{LayerId(0), HeadId(0), TokenPos(1), TokenPos(0), 1, 2});
  CHECK(talk.wait_for<WeightsMessage>().second.weights.size() == 2);
  talk.send(8, 0, ChatTurnMessage{"a"});  // of the model, whichever sequence stands
  const auto chat = talk.wait_for<ChatPromptMessage>();
  CHECK(chat.first.id == 8);
  CHECK(chat.second.prompt == "<user>a<answer>");
  CHECK(talk.exit_code() == 0);
}

TEST_CASE("a follow-up that is refused or stopped leaves what stands") {
  MadeUpHost host;
  Conversation talk(host);
  open_model(talk);
  talk.send(2, 1, FollowUpMessage{"a"});
  CHECK(talk.wait_for<ErrorMessage>().second.error.code == ErrorCode::bad_position);
  talk.send(3, 1, prompt("abc"));
  (void)talk.wait_for<ReadyMessage>();
  talk.send(4, 1, FollowUpMessage{""});
  CHECK(talk.wait_for<ErrorMessage>().second.error.code == ErrorCode::bad_text);
  talk.send(5, 7, FollowUpMessage{"of a sequence that is not there"});
  CHECK(talk.wait_for<ErrorMessage>().second.error.code == ErrorCode::interrupted);
  host.token_time = 5ms;
  talk.send(6, 1, FollowUpMessage{std::string(100'000, 'a')});
  const auto frames = talk.wait_for<ProgressMessage>();
  CHECK(frames.first.id == 6);
  talk.send(7, 1, StopMessage{6});
  const auto stopped = talk.wait_for<ErrorMessage>();
  CHECK(stopped.first.id == 6);
  CHECK(stopped.second.error.code == ErrorCode::interrupted);
  talk.send(8, 1, GenerateMessage{1, {}, {}, 0});
  CHECK(talk.wait_for<FinishedMessage>().second.generated == 1);
}

TEST_CASE("what was asked for before the input ended is still done") {
  MadeUpHost host;
  host.token_time = 2ms;
  Conversation talk(host);
  open_model(talk);
  talk.send(3, 1, prompt("abc"));
  talk.send(4, 1, GenerateMessage{10, {}, {}, 0});
  talk.end_input();
  CHECK(talk.wait_for<FinishedMessage>().second.generated == 10);
  CHECK(talk.exit_code() == 0);
}

TEST_CASE("a stop ends what runs within a tenth of a second, and tiles are answered meanwhile") {
  MadeUpHost host;
  host.token_time = 5ms;
  Conversation talk(host);
  open_model(talk);
  talk.send(3, 1, prompt("abc"));
  (void)talk.wait_for<ReadyMessage>();
  talk.send(4, 1, GenerateMessage{1'000'000, {}, {}, 0});
  (void)talk.wait_for<FramesMessage>();
  talk.send(5, 1, TileRequestMessage{{LayerId(0), HeadId(0), 0, 0, 0}});
  CHECK(talk.wait_for<TileMessage>().first.id == 5);
  const auto before = std::chrono::steady_clock::now();
  talk.send(6, 1, StopMessage{});
  CHECK(talk.wait_for<FinishedMessage>().second.reason == StopReason::interrupted);
  const auto answer = std::chrono::steady_clock::now() - before;
  CHECK(answer < 1s);  // 100 ms on a machine that is not shared
  MESSAGE("stopped after ", std::chrono::duration<double, std::milli>(answer).count(), " ms");
}

TEST_CASE("too many that wait are answered with an error, and what ran goes on") {
  MadeUpHost host;
  host.token_time = 5ms;
  Conversation talk(host);
  generate_on_and_on(talk);
  constexpr std::uint64_t first = 100;
  constexpr std::uint64_t sent = 80;
  for (std::uint64_t id = first; id < first + sent; ++id) talk.send(id, 1, StepMessage{});
  // Those that came first wait.
  const auto refused = talk.wait_for<ErrorMessage>();
  CHECK(refused.first.id == first + 64);
  CHECK(refused.second.error.code == ErrorCode::usage);
  talk.send(5, 1, StopMessage{4});
  CHECK(talk.wait_for<FinishedMessage>().first.id == 4);
  CHECK(talk.wait_for<FinishedMessage>().first.id == first);
}

TEST_CASE("a stop of one request leaves the others alone") {
  MadeUpHost host;
  host.token_time = 5ms;
  Conversation talk(host);
  generate_on_and_on(talk);
  talk.send(5, 1, StepMessage{});
  talk.send(6, 1, StopMessage{4});
  CHECK(talk.wait_for<FinishedMessage>().first.id == 4);
  const auto step = talk.wait_for<FinishedMessage>();
  CHECK(step.first.id == 5);
  CHECK(step.second.reason == StopReason::max_new_tokens);
}

TEST_CASE("a stop of one tile leaves the others alone, and says how far a text was that is read once more") {
  MadeUpHost host;
  host.tile_time = 300ms;
  Conversation talk(host);
  generate_on_and_on(talk);
  talk.send(10, 1, TileRequestMessage{{LayerId(0), HeadId(0), 0, 0, 0}});
  const auto told = talk.wait_for<ProgressMessage>();
  CHECK(told.first.id == 10);
  CHECK(told.second.phase == ProgressPhase::replay);
  talk.send(11, 1, TileRequestMessage{{LayerId(0), HeadId(1), 0, 0, 0}});
  talk.send(12, 1, StopMessage{10});
  const auto stopped = talk.wait_for<ErrorMessage>();
  CHECK(stopped.first.id == 10);
  CHECK(stopped.second.error.code == ErrorCode::interrupted);
  CHECK(talk.wait_for<TileMessage>().first.id == 11);
}

TEST_CASE("a new sequence does not wait for tiles of the old one, and they are not answered with its cells") {
  MadeUpHost host;
  host.tile_time = 200ms;
  Conversation talk(host);
  open_model(talk);
  talk.send(3, 1, prompt("abc"));
  (void)talk.wait_for<ReadyMessage>();
  for (std::uint64_t id = 10; id < 60; ++id) talk.send(id, 1, TileRequestMessage{{LayerId(0), HeadId(0), 0, 0, 0}});
  const auto before = std::chrono::steady_clock::now();
  talk.send(4, 2, prompt("abcd"));
  int refused = 0;
  bool is_ready = false;
  while (refused < 49 || !is_ready) {
    const auto envelope = talk.receive();
    REQUIRE(envelope);
    if (std::holds_alternative<ReadyMessage>(envelope->message)) {
      is_ready = true;
      CHECK(std::chrono::steady_clock::now() - before < 5s);  // 50 tiles take 10 s
    }
    if (const auto* error = std::get_if<ErrorMessage>(&envelope->message)) {
      CHECK(error->error.code == ErrorCode::interrupted);
      CHECK(envelope->id >= 10);
      ++refused;
    }
    if (const auto* tile = std::get_if<TileMessage>(&envelope->message)) {
      CHECK(envelope->generation == 1);
      ++refused;  // the one that was done already
      (void)tile;
    }
  }
  CHECK_FALSE(host.was_disturbed);
}

TEST_CASE("errors of the engine are answers, not ends") {
  MadeUpHost host;
  Conversation talk(host);
  talk.hello();
  const auto error_of = [&talk] { return talk.wait_for<ErrorMessage>(); };
  talk.send(2, 1, OpenMessage{"missing", {}, Device::automatic, {}, 0, 0});
  CHECK(error_of().second.error.code == ErrorCode::file_not_found);
  talk.send(3, 1, prompt("abc"));
  CHECK(error_of().second.error.code == ErrorCode::usage);
  talk.send(4, 1, GenerateMessage{});
  CHECK(error_of().second.error.code == ErrorCode::bad_position);
  talk.send(5, 1, OpenMessage{"m", {}, Device::automatic, {}, 0, 0});
  (void)talk.wait_for<OpenedMessage>();
  talk.send(6, 1, prompt(""));
  const auto empty = error_of();
  CHECK(empty.first.id == 6);
  CHECK(empty.second.error.code == ErrorCode::bad_text);
  talk.send(7, 1, TileRequestMessage{{LayerId(9), HeadId(0), 0, 0, 0}});
  CHECK(error_of().second.error.code == ErrorCode::bad_layer);
  host.throws_in_generate = true;
  talk.send(8, 1, GenerateMessage{});
  CHECK(error_of().second.error.code == ErrorCode::internal);
  CHECK(talk.exit_code() == 0);
}

TEST_CASE("what is refused leaves model and sequence as they were") {
  MadeUpHost host;
  Conversation talk(host);
  open_model(talk);
  (void)talk.wait_for<OpenedMessage>();
  talk.send(3, 2, prompt("abc"));
  (void)talk.wait_for<ReadyMessage>();
  const auto goes_on = [&](std::uint64_t id) {
    talk.send(id, 2, TileRequestMessage{{LayerId(0), HeadId(0), 0, 0, 0}});
    CHECK(talk.wait_for<TileMessage>().first.id == id);
    talk.send(id + 1, 2, StepMessage{});
    CHECK(talk.wait_for<FinishedMessage>().first.id == id + 1);
  };
  talk.send(4, 3, prompt(""));
  talk.send(5, 3, GenerateMessage{});  // was to go on with the text that is refused
  const auto empty = talk.wait_for<ErrorMessage>();
  CHECK(empty.first.id == 4);
  CHECK(empty.second.error.code == ErrorCode::bad_text);
  CHECK(empty.second.stands);
  const auto behind = talk.wait_for<ErrorMessage>();
  CHECK(behind.first.id == 5);
  CHECK(behind.second.error.code == ErrorCode::interrupted);
  goes_on(10);
  talk.send(6, 4, OpenMessage{"missing", {}, Device::automatic, {}, 0, 0});
  const auto missing = talk.wait_for<ErrorMessage>();
  CHECK(missing.second.error.code == ErrorCode::file_not_found);
  CHECK(missing.second.stands);
  goes_on(20);
  // One that fails when the old model is gone says so.
  talk.send(7, 5, OpenMessage{"too large", {}, Device::automatic, {}, 0, 0});
  const auto large = talk.wait_for<ErrorMessage>();
  CHECK(large.second.error.code == ErrorCode::out_of_memory);
  CHECK_FALSE(large.second.stands);
  CHECK(talk.exit_code() == 0);
}

TEST_CASE("a broken frame is answered with an error frame, and the server ends with its code") {
  struct Case {
    const char* what;
    bool after_hello;
    std::vector<std::uint8_t> bytes;
  };
  const auto framed = [](Message message) { return *frame_of(*encode({5, 5, std::move(message)})); };
  const Case cases[] = {
      {"length 0", true, {0, 0, 0, 0}},
      {"length over the limit", true, {255, 255, 255, 255}},
      {"no CBOR", true, {1, 0, 0, 0, 0xff}},
      {"no map", true, {1, 0, 0, 0, 0x01}},
      {"cut in its length", true, {9, 0}},
      {"cut in its payload", true, {9, 0, 0, 0, 0xa1}},
      {"text instead of frames", true, {'G', 'E', 'T', ' ', '/', '\n'}},
      {"an answer instead of a request", true, framed(ReadyMessage{1, 1})},
      {"no hello first", false, framed(StopMessage{})},
      {"another protocol", false, framed(HelloMessage{protocol_version + 1, "future"})},
  };
  for (const Case& test : cases) {
    CAPTURE(test.what);
    MadeUpHost host;
    Conversation talk(host);
    if (test.after_hello) talk.hello();
    talk.send_bytes(test.bytes);
    talk.end_input();
    CHECK(talk.wait_for<ErrorMessage>().second.error.code == ErrorCode::protocol_error);
    CHECK(talk.exit_code() == exit_code(ErrorCode::protocol_error));
  }
}

TEST_CASE("a window that vanishes ends the server, whatever it was doing") {
  MadeUpHost host;
  host.token_time = 2ms;
  Conversation talk(host);
  open_model(talk);
  talk.send(3, 1, prompt("abc"));
  talk.send(4, 1, GenerateMessage{1'000'000'000, {}, {}, 0});
  (void)talk.wait_for<FramesMessage>();
  talk.end_output();  // the input stays open: the lost output alone must do
  const auto before = std::chrono::steady_clock::now();
  CHECK(talk.exit_code() != 0);
  CHECK(std::chrono::steady_clock::now() - before < 5s);
}

TEST_CASE("bye ends a server that is busy") {
  MadeUpHost host;
  host.token_time = 2ms;
  Conversation talk(host);
  open_model(talk);
  talk.send(3, 1, prompt("abc"));
  talk.send(4, 1, GenerateMessage{1'000'000'000, {}, {}, 0});
  (void)talk.wait_for<FramesMessage>();
  talk.send(5, 1, ByeMessage{});
  (void)talk.wait_for<ByeMessage>();
  CHECK_FALSE(talk.receive());
  CHECK(talk.exit_code() == 0);
}

}  // namespace
}  // namespace natscope
