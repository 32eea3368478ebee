// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/protocol/framing.h"
#include "tests/core/protocol/message_samples.h"
#include "tests/core/protocol/server_conversation.h"
#include "tests/fuzz/mutation.h"

namespace natscope {
namespace {

using test::Bytes;

std::vector<Bytes> sample_payloads() {
  std::vector<Bytes> payloads;
  for (const Message& message : test::sample_messages()) payloads.push_back(*encode({3, 2, message}));
  return payloads;
}

TEST_CASE("decode survives mutated messages, and what it accepts it can write again") {
  const std::uint64_t seed = test::fuzz_seed();
  MESSAGE("repeat with NATSCOPE_FUZZ_SEED=", seed);
  std::mt19937_64 random(seed);
  const auto payloads = sample_payloads();
  std::uint64_t accepted = 0;
  const std::uint64_t rounds = test::number_from_environment("NATSCOPE_FUZZ_ROUNDS", 60'000);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    Bytes bytes = payloads[random() % payloads.size()];
    test::mutate(bytes, random);
    const auto envelope = decode(bytes);
    if (!envelope) {
      if (envelope.error().code != ErrorCode::protocol_error) FAIL("round ", i, ": ", envelope.error().message);
      continue;
    }
    ++accepted;
    const auto again = encode(*envelope);
    if (!again || !decode(*again)) FAIL("round ", i, ": what was accepted cannot be written again");
  }
  MESSAGE(accepted, " of ", rounds, " were still sound");
  CHECK(accepted > 0);
}

TEST_CASE("a field with a value of every other kind never breaks decode") {
  using nlohmann::json;
  const json strange[] = {nullptr,
                          true,
                          -1,
                          0,
                          1e300,
                          0xffff'ffff'ffff'ffffULL,
                          "",
                          "x",
                          json::array(),
                          json::array({1}),
                          json::object(),
                          json{{"a", 1}},
                          json::binary({}),
                          json::binary({1, 2, 3}),
                          json::binary(std::vector<std::uint8_t>(64, 0xff))};
  std::uint64_t tried = 0;
  for (const Bytes& payload : sample_payloads()) {
    const json sound = json::from_cbor(payload);
    for (const auto& [field, value] : sound.items()) {
      for (const json& other : strange) {
        json map = sound;
        map[field] = other;
        (void)decode(json::to_cbor(map));
        ++tried;
        if (!value.is_object()) continue;
        for (const auto& [inner, inner_value] : value.items()) {  // and inside a part
          map = sound;
          if (inner_value != other) map[field][inner] = other;
          (void)decode(json::to_cbor(map));
        }
      }
    }
  }
  CHECK(tried > 1000);
}

TEST_CASE("a server survives mutated conversations: it answers in frames and ends") {
  const std::uint64_t seed = test::fuzz_seed();
  MESSAGE("repeat with NATSCOPE_FUZZ_SEED=", seed);
  std::mt19937_64 random(seed);
  const auto payloads = sample_payloads();
  for (std::uint64_t i = 0; i < test::number_from_environment("NATSCOPE_FUZZ_ROUNDS", 300); ++i) {
    CAPTURE(i);
    test::MadeUpHost host;
    test::Conversation talk(host);
    talk.hello();
    talk.send(2, 2, OpenMessage{"m", {}, Device::automatic, {}, 0, 0});
    for (std::uint64_t k = random() % 12; k > 0; --k) {
      Bytes frame = *frame_of(payloads[random() % payloads.size()]);
      if (random() % 3 == 0) test::mutate(frame, random);
      talk.send_bytes(frame);
    }
    (void)talk.exit_code();  // gives up, and fails, when the server writes anything but frames, or hangs
    CHECK_FALSE(host.was_disturbed);
  }
}

}  // namespace
}  // namespace natscope
