// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/server.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/base/log.h"
#include "core/protocol/framing.h"
#include "core/protocol/server_threads.h"

namespace natscope {
namespace {

using protocol::FrameWriter;

/// A pipe to oneself: how another thread ends a wait for input.
class WakePipe {
 public:
  WakePipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) != 0) ends_ = {-1, -1};
  }
  WakePipe(const WakePipe&) = delete;
  WakePipe& operator=(const WakePipe&) = delete;
  ~WakePipe() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }

  void wake() const {
    const char byte = 0;
    [[maybe_unused]] const ssize_t written = ::write(ends_[1], &byte, 1);  // full is awake enough
  }
  [[nodiscard]] int descriptor() const { return ends_[0]; }

 private:
  std::array<int, 2> ends_{};
};

class Server {
 public:
  Server(int input, int output, EngineHost& host)
      : input_(input),
        host_(host),
        writer_(std::make_shared<FrameWriter>(output, [this] { output_lost(); })),
        runner_(host, writer_, sequence_),
        requests_(runner_, *writer_),
        questions_(host, *writer_, sequence_) {}

  int run() {
    const auto result = read_input();
    if (!result) {
      log(LogLevel::error, result.error().message);
      requests_.stop();
      writer_->send({last_id_, last_generation_, ErrorMessage{result.error()}});
    }
    // Nobody will ask for more: what was asked for is done, unless the other end has gone or said bye.
    writer_->limit_waiting(std::chrono::seconds(10));
    const bool hurry = !result || said_bye_ || writer_->lost();
    if (hurry) requests_.stop();
    requests_.finish();
    questions_.finish(hurry);
    if (said_bye_ && result) writer_->send({last_id_, last_generation_, ByeMessage{}});
    const bool lost = writer_->lost();
    writer_->close();
    if (!result) return exit_code(result.error().code);
    return lost && !said_bye_ ? exit_code(ErrorCode::io_failure) : 0;
  }

 private:
  /// Called by a thread that wrote: with nobody to read the answers there is nothing left to do.
  void output_lost() {
    wake_.wake();
    requests_.stop();
    questions_.stop_all();
  }

  /// Until the input ends, a bye comes or the output is lost. Errors: protocol_error, io_failure.
  Expected<void> read_input() {
    FrameReader reader;
    std::vector<std::uint8_t> buffer(std::size_t{1} << 16U);
    while (!said_bye_ && !writer_->lost()) {
      std::array<pollfd, 2> wanted{{{input_, POLLIN, 0}, {wake_.descriptor(), POLLIN, 0}}};
      if (::poll(wanted.data(), wanted.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return fail(ErrorCode::io_failure, "the input cannot be waited for");
      }
      if (wanted[0].revents == 0) continue;
      const ssize_t count = ::read(input_, buffer.data(), buffer.size());
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0) return fail(ErrorCode::io_failure, "the input cannot be read");
      if (count == 0) return reader.finish();
      reader.feed({buffer.data(), static_cast<std::size_t>(count)});
      NATSCOPE_CHECK(read_frames(reader));
    }
    return {};
  }

  Expected<void> read_frames(FrameReader& reader) {
    while (!said_bye_) {
      NATSCOPE_TRY(auto payload, reader.next());
      if (!payload) return {};
      NATSCOPE_TRY(Envelope envelope, decode(*payload));
      NATSCOPE_CHECK(receive(std::move(envelope)));
    }
    return {};
  }

  Expected<void> receive(Envelope envelope) {
    last_id_ = envelope.id;
    last_generation_ = envelope.generation;
    const Message& message = envelope.message;
    if (const auto* hello = std::get_if<HelloMessage>(&message)) return greet(envelope, *hello);
    if (!said_hello_) return fail(ErrorCode::protocol_error, "the first message must be “hello”");
    if (const auto* stop = std::get_if<StopMessage>(&message)) {
      requests_.stop(stop->request);
      if (stop->request != 0) questions_.stop(stop->request);
    } else if (std::holds_alternative<ByeMessage>(message)) {
      said_bye_ = true;
    } else if (std::holds_alternative<TileRequestMessage>(message) ||
               std::holds_alternative<WeightsRequestMessage>(message) ||
               std::holds_alternative<ChatTurnMessage>(message)) {
      questions_.push(std::move(envelope));
    } else if (std::holds_alternative<OpenMessage>(message) || std::holds_alternative<AnalyseMessage>(message) ||
               std::holds_alternative<GenerateMessage>(message) || std::holds_alternative<StepMessage>(message) ||
               std::holds_alternative<FollowUpMessage>(message)) {
      // A question in progress must not make the new sequence wait.
      if (std::holds_alternative<OpenMessage>(message) || std::holds_alternative<AnalyseMessage>(message)) {
        questions_.stop_all();
      }
      requests_.push(std::move(envelope));
    } else {
      return fail(ErrorCode::protocol_error, std::string("“") + type_name(message) + "” is an answer, not a request");
    }
    return {};
  }

  Expected<void> greet(const Envelope& envelope, const HelloMessage& hello) {
    if (hello.protocol != protocol_version) {
      return fail(ErrorCode::protocol_error, "the other end speaks protocol " + std::to_string(hello.protocol) +
                                                 ", this engine speaks " + std::to_string(protocol_version));
    }
    said_hello_ = true;
    writer_->send(envelope, HelloMessage{protocol_version, host_.program()});
    return {};
  }

  int input_;
  EngineHost& host_;
  protocol::Sequence sequence_;
  WakePipe wake_;
  std::shared_ptr<FrameWriter> writer_;
  protocol::RequestRunner runner_;
  protocol::RequestThread requests_;
  protocol::QuestionThread questions_;
  bool said_hello_ = false;
  bool said_bye_ = false;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_generation_ = 0;
};

}  // namespace

int serve(int input, int output, EngineHost& host) { return Server(input, output, host).run(); }

}  // namespace natscope
