// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/protocol/server_conversation.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace natscope::test {
namespace {

constexpr int patience_ms = 20'000;

void close_once(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

}  // namespace

Conversation::Conversation(EngineHost& host) {
  std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe(in.data()) != 0 || ::pipe(out.data()) != 0) give_up("no pipes");
  server_input_ = in[0];
  to_server_ = in[1];
  from_server_ = out[0];
  server_output_ = out[1];
  thread_ = std::thread([this, &host] {
    exit_code_ = serve(server_input_, server_output_, host);
    close_once(server_output_);
  });
}

Conversation::~Conversation() {
  end_input();
  end_output();
  if (thread_.joinable()) thread_.join();
  close_once(server_input_);
}

void Conversation::give_up(const char* what) { throw std::runtime_error(what); }

void Conversation::send(std::uint64_t id, std::uint64_t generation, Message message) {
  const auto payload = encode({id, generation, std::move(message)});
  if (!payload) give_up(payload.error().message.c_str());
  send_bytes(*frame_of(*payload));
}

void Conversation::send_bytes(std::span<const std::uint8_t> bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t written = ::write(to_server_, bytes.data() + done, bytes.size() - done);
    if (written < 0) return;  // the server has ended, which the test will see
    done += static_cast<std::size_t>(written);
  }
}

std::optional<Envelope> Conversation::receive() {
  while (true) {
    auto payload = reader_.next();
    if (!payload) give_up("the server wrote something that is no frame");
    if (*payload) {
      auto envelope = decode(**payload);
      if (!envelope) give_up(envelope.error().message.c_str());
      return *std::move(envelope);
    }
    pollfd wanted{from_server_, POLLIN, 0};
    if (::poll(&wanted, 1, patience_ms) <= 0) give_up("the server does not answer");
    std::array<std::uint8_t, 65536> buffer{};
    const ssize_t count = ::read(from_server_, buffer.data(), buffer.size());
    if (count <= 0) {
      if (!reader_.finish()) give_up("the server stopped inside a frame");
      return std::nullopt;
    }
    reader_.feed({buffer.data(), static_cast<std::size_t>(count)});
  }
}

void Conversation::end_input() { close_once(to_server_); }
void Conversation::end_output() { close_once(from_server_); }

int Conversation::exit_code() {
  end_input();
  if (from_server_ >= 0) {
    while (receive()) {
    }
  }
  thread_.join();
  return exit_code_;
}

}  // namespace natscope::test
