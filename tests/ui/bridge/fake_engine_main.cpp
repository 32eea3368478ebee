// SPDX-License-Identifier: GPL-3.0-or-later
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "core/protocol/framing.h"
#include "tests/core/protocol/made_up_host.h"
#include "tests/core/protocol/message_samples.h"

/// test_fake_engine MODE [NUMBER]: a program that a window might take for an engine.
namespace {

using namespace natscope;
using Bytes = std::vector<std::uint8_t>;

void put(const Bytes& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data() + done, bytes.size() - done);
    if (written <= 0) std::_Exit(9);
    done += static_cast<std::size_t>(written);
  }
}

Bytes framed(std::uint64_t id, std::uint64_t generation, Message message) {
  return *frame_of(*encode({id, generation, std::move(message)}));
}

void say_hello() { put(framed(0, 0, HelloMessage{protocol_version, "fake 1"})); }

void sleep_for_ever() {
  while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

/// Sound messages of every type with bytes changed, cut or repeated; NUMBER is the seed.
[[noreturn]] void speak_garbage(unsigned seed) {
  std::mt19937 random(seed);
  if (random() % 4 != 0) say_hello();
  for (int i = 0; i < 200; ++i) {
    const auto samples = test::sample_messages();
    Bytes bytes = framed(random() % 6, random() % 3, samples[random() % samples.size()]);
    const std::size_t from = random() % 2 == 0 ? frame_header_bytes : 0;  // half of them keep a sound length
    for (unsigned k = random() % 4; k > 0; --k)
      bytes[from + random() % (bytes.size() - from)] = static_cast<std::uint8_t>(random());
    if (random() % 16 == 0) bytes.resize(random() % bytes.size());
    put(bytes);
  }
  std::_Exit(0);
}

/// Answers that are sound one by one and make no sense together.
[[noreturn]] void contradict() {
  say_hello();
  const TokenFrame frame = test::sample_frame(5, 2, true);
  put(framed(0, 1, StartedMessage{{1, 2, 8, kernels::ElementType::f32}, true, 16, "model", 3}));
  put(framed(0, 1, FramesMessage{{frame}, {}}));  // the first frame says position 5
  sleep_for_ever();
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string mode = argc > 1 ? argv[1] : "good";
  const int number = argc > 2 ? std::atoi(argv[2]) : 0;
  if (mode == "garbage") speak_garbage(static_cast<unsigned>(number));
  if (mode == "contradict") contradict();
  if (mode == "silent") sleep_for_ever();
  if (mode == "dies") {
    std::fputs("the engine's last words\n", stderr);
    return 7;
  }
  if (mode == "mutters") {
    std::fputs("no line break behind it", stderr);
    return 7;
  }
  if (mode == "dies_after_hello") {
    say_hello();
    return 8;
  }
  if (mode == "text") {
    std::puts("Welcome to gpubox! You have new mail.");
    std::fflush(stdout);
    sleep_for_ever();
  }
  if (mode == "huge") {
    put({0xff, 0xff, 0xff, 0x7f});
    sleep_for_ever();
  }
  if (mode == "future") {
    put(framed(0, 0, HelloMessage{protocol_version + 1, "future"}));
    sleep_for_ever();
  }
  if (mode == "asks") {
    say_hello();
    put(framed(0, 0, StopMessage{}));
    sleep_for_ever();
  }
  test::MadeUpHost host;
  host.token_time = std::chrono::milliseconds(mode == "slow" ? number : 0);
  host.tile_time = std::chrono::milliseconds(mode == "slow_tiles" ? number : 0);
  return serve(STDIN_FILENO, STDOUT_FILENO, host);
}
