// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include "core/protocol/framing.h"
#include "tests/core/protocol/message_samples.h"
#include "tests/fuzz/mutation.h"
#include "tests/support/run_program.h"

/// The real natscope-engine, fed garbage on its standard input.
namespace natscope {
namespace {

using test::Bytes;

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }
Bytes framed(Message message) { return *frame_of(*encode({7, 2, std::move(message)})); }

struct Answer {
  int exit_code = 0;
  std::vector<Envelope> messages;
};

Answer engine_says(const Bytes& input) {
  const auto result =
      test::run_program({NATSCOPE_BIN_DIR "/natscope-engine"}, {.input = text_of(input), .timeout_s = 60});
  Answer answer{result.exit_code, {}};
  FrameReader reader;
  reader.feed({reinterpret_cast<const std::uint8_t*>(result.out.data()), result.out.size()});
  while (true) {
    auto payload = reader.next();
    REQUIRE_MESSAGE(payload, "stdout holds something that is no frame");
    if (!*payload) break;
    auto envelope = decode(**payload);
    REQUIRE_MESSAGE(envelope, envelope.error().message);
    answer.messages.push_back(*std::move(envelope));
  }
  CHECK_MESSAGE(reader.finish(), "stdout ends inside a frame");
  return answer;
}

TEST_CASE("an empty input ends the engine quietly") {
  const Answer answer = engine_says({});
  CHECK(answer.exit_code == 0);
  CHECK(answer.messages.empty());
}

TEST_CASE("a broken frame is answered with an error frame, then the engine ends non-zero") {
  const Bytes cases[] = {{0},
                         {0, 0, 0, 0},
                         {255, 255, 255, 255},
                         {5, 0, 0, 0, 0xa1},
                         {1, 0, 0, 0, 0xff},
                         {'h', 'e', 'l', 'l', 'o', '\n'},
                         framed(StopMessage{}),
                         framed(HelloMessage{99, "future"})};
  for (const Bytes& input : cases) {
    CAPTURE(text_of(input));
    const Answer answer = engine_says(input);
    CHECK(answer.exit_code > 0);
    REQUIRE_FALSE(answer.messages.empty());
    REQUIRE(std::holds_alternative<ErrorMessage>(answer.messages.back().message));
    CHECK(std::get<ErrorMessage>(answer.messages.back().message).error.code == ErrorCode::protocol_error);
  }
}

TEST_CASE("requests without a model, and models that are not there, are answered") {
  Bytes input = framed(HelloMessage{});
  for (const Message& message :
       {Message(GenerateMessage{}), Message(StepMessage{}), Message(AnalyseMessage{std::string("x"), {}, 1, 0}),
        Message(OpenMessage{"/no/such/model", {}, Device::automatic, {}, 0, 0})}) {
    const Bytes frame = framed(message);
    input.insert(input.end(), frame.begin(), frame.end());
  }
  const Answer answer = engine_says(input);
  CHECK(answer.exit_code == 0);
  int errors = 0;
  for (const Envelope& envelope : answer.messages)
    errors += std::holds_alternative<ErrorMessage>(envelope.message) ? 1 : 0;
  CHECK(errors == 4);
}

TEST_CASE("the engine survives garbage") {
  const std::uint64_t seed = test::fuzz_seed();
  MESSAGE("repeat with NATSCOPE_FUZZ_SEED=", seed);
  std::mt19937_64 random(seed);
  const auto samples = test::sample_messages();
  for (std::uint64_t i = 0; i < test::number_from_environment("NATSCOPE_FUZZ_ROUNDS", 20); ++i) {
    CAPTURE(i);
    Bytes input = framed(HelloMessage{});
    for (std::uint64_t k = 1 + random() % 10; k > 0; --k) {
      Bytes frame = framed(samples[random() % samples.size()]);
      if (random() % 2 == 0) test::mutate(frame, random);
      input.insert(input.end(), frame.begin(), frame.end());
    }
    CHECK(engine_says(input).exit_code >= 0);  // no signal
  }
}

}  // namespace
}  // namespace natscope
