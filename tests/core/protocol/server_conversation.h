// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <optional>
#include <thread>

#include "core/protocol/framing.h"
#include "tests/core/protocol/made_up_host.h"

namespace natscope::test {

/// A server in a thread and the two pipes to it. Every wait has an end: a test never hangs.
class Conversation {
 public:
  explicit Conversation(EngineHost& host);
  ~Conversation();  ///< closes the pipes and waits for the server

  void send(std::uint64_t id, std::uint64_t generation, Message message);
  void send_bytes(std::span<const std::uint8_t> bytes);
  void hello() { send(1, 0, HelloMessage{}); }

  /// The next message, or nothing at the end of the stream. Fails the test when none comes in time.
  [[nodiscard]] std::optional<Envelope> receive();

  /// Reads on until a message of type T comes, and returns it with its envelope's head. Fails the test at the stream's
  /// end.
  template <class T>
  [[nodiscard]] std::pair<Envelope, T> wait_for() {
    while (auto envelope = receive()) {
      if (auto* message = std::get_if<T>(&envelope->message)) {
        T found = std::move(*message);
        return {*envelope, std::move(found)};
      }
    }
    give_up("the stream ended before the message came");
  }

  void end_input();               ///< what a window that is gone looks like from stdin
  void end_output();              ///< and from stdout
  [[nodiscard]] int exit_code();  ///< ends the input and waits for the server

 private:
  [[noreturn]] static void give_up(const char* what);

  int to_server_ = -1;
  int from_server_ = -1;
  int server_input_ = -1;
  int server_output_ = -1;
  int exit_code_ = -1;
  FrameReader reader_;
  std::thread thread_;
};

}  // namespace natscope::test
