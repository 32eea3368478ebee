// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/messages.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/protocol/framing.h"
#include "tests/core/protocol/message_samples.h"

namespace natscope {
namespace {

TEST_CASE("every message comes back as it was") {
  std::set<std::size_t> seen;
  for (const Message& message : test::sample_messages()) {
    CAPTURE(type_name(message));
    seen.insert(message.index());
    const auto payload = encode({0xffff'ffff'ffff'ffffULL, 12, message});
    REQUIRE_MESSAGE(payload, payload.error().message);
    const auto back = decode(*payload);
    REQUIRE_MESSAGE(back, back.error().message);
    CHECK(back->id == 0xffff'ffff'ffff'ffffULL);
    CHECK(back->generation == 12);
    REQUIRE(back->message.index() == message.index());
    // The fields have no equality of their own; the same bytes mean the same fields, since no two are written alike.
    const auto again = encode(*back);
    REQUIRE(again);
    CHECK(*again == *payload);
  }
  CHECK(seen.size() == std::variant_size_v<Message>);
}

TEST_CASE("frames keep every field") {
  const TokenFrame frame = test::sample_frame(1, 6, true);
  const auto payload = encode({1, 1, FramesMessage{{frame}, {{3, "x"}}}});
  REQUIRE(payload);
  const auto back = decode(*payload);
  REQUIRE_MESSAGE(back, back.error().message);
  const auto& message = std::get<FramesMessage>(back->message);
  REQUIRE(message.frames.size() == 1);
  const TokenFrame& got = message.frames.front();
  CHECK(got.position == frame.position);
  CHECK(got.token == frame.token);
  CHECK(got.text == frame.text);
  CHECK(got.generated == frame.generated);
  CHECK(got.roles == frame.roles);
  CHECK(got.scores == frame.scores);
  CHECK(got.entries == frame.entries);
  CHECK(got.counts == frame.counts);
  CHECK(got.probability == frame.probability);
  CHECK(got.candidates == frame.candidates);
  CHECK(got.evicted == frame.evicted);
  CHECK(got.step_ms == frame.step_ms);
  CHECK(message.texts == std::vector<std::pair<std::int32_t, std::string>>{{3, "x"}});
}

TEST_CASE("a prompt that is dropped nearly whole, in every head, fits a message") {
  constexpr std::int32_t length = 100'000;
  TokenFrame frame = test::sample_frame(length - 1, 64, false);
  for (std::int32_t head = 0; head < 64; ++head) {
    for (std::int32_t position = 0; position < length - 32; ++position) {
      if (position % 1000 == head) continue;  // what stays
      frame.evicted.push_back({LayerId(head / 8), KvHeadId(head % 8), TokenPos(position)});
    }
  }
  const auto payload = encode({1, 1, FramesMessage{{frame}, {}}});
  REQUIRE_MESSAGE(payload, payload.error().message);
  CHECK(payload->size() < 200'000);
  const auto back = decode(*payload);
  REQUIRE_MESSAGE(back, back.error().message);
  CHECK(std::get<FramesMessage>(back->message).frames.front().evicted == frame.evicted);
}

TEST_CASE("fields that are not known are ignored") {
  const auto payload = encode({1, 1, ReadyMessage{3, 0.5}});
  REQUIRE(payload);
  nlohmann::json map = nlohmann::json::from_cbor(*payload);
  map["of_the_future"] = {1, 2, 3};
  CHECK(decode(nlohmann::json::to_cbor(map)));
}

TEST_CASE("an error's text is made fit for the wire") {
  const auto payload = encode({1, 1, ErrorMessage{make_error(ErrorCode::bad_json, "bad \xff\n name", "x")}});
  REQUIRE_MESSAGE(payload, payload.error().message);
  CHECK(decode(*payload));
}

TEST_CASE("a text that is not UTF-8 is not sent") {
  const auto payload = encode({1, 1, OpenMessage{"\xff", {}, Device::automatic, {}, 0, 0}});
  REQUIRE_FALSE(payload);
  CHECK(payload.error().code == ErrorCode::protocol_error);
}

TEST_CASE("what is too large for a frame is not sent") {
  WeightsMessage message;
  message.weights.resize(max_frame_bytes / sizeof(float) + 1);
  const auto payload = encode({1, 1, message});
  REQUIRE_FALSE(payload);
  CHECK(payload.error().code == ErrorCode::protocol_error);
}

}  // namespace
}  // namespace natscope
