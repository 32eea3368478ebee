// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/request_runner.h"

#include <mutex>
#include <new>
#include <thread>

#include "core/base/cancel.h"

namespace natscope::protocol {
namespace {

using Clock = std::chrono::steady_clock;

/// Frames are gathered for this long while text is generated: faster than a screen shows, slower than a pipe minds.
constexpr auto frame_pause = std::chrono::milliseconds(15);
constexpr auto progress_pause = std::chrono::milliseconds(30);

/// A frames message is closed when it has about this size: a window takes it in within a frame on the screen.
constexpr std::size_t frames_bytes = std::size_t{256} << 10U;

std::size_t rough_bytes(const TokenFrame& frame) {
  return 128 + frame.text.size() + frame.roles.size() * 5 + frame.scores.size() * 4 + frame.candidates.size() * 24 +
         frame.evicted.size() * 12;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

void RequestRunner::run(const Envelope& request, std::stop_token stop) {
  Expected<void> result;
  has_replaced_ = false;
  try {
    result = dispatch(request, stop);
  } catch (const std::bad_alloc&) {
    result = fail(ErrorCode::out_of_memory, std::string("no memory for “") + type_name(request.message) + "”");
  } catch (const std::exception& exception) {
    result = fail(ErrorCode::internal, exception.what());
  }
  if (result) return;
  writer_->send(request, ErrorMessage{result.error(), !has_replaced_ && host_.is_open()});
}

Expected<void> RequestRunner::dispatch(const Envelope& request, const std::stop_token& stop) {
  NATSCOPE_CHECK(check(stop));
  if (const auto* message = std::get_if<OpenMessage>(&request.message)) return open(request, *message, stop);
  if (const auto* message = std::get_if<AnalyseMessage>(&request.message)) return analyse(request, *message, stop);

  // What was asked for behind a text that was refused must not go on with another one.
  if (request.generation != sequence_.generation && host_.record().size() > 0) {
    return fail(ErrorCode::interrupted, "the sequence that was to go on is not there");
  }
  if (const auto* message = std::get_if<FollowUpMessage>(&request.message)) {
    NATSCOPE_CHECK(host_.follow_up(*message));
    return prefill(request, stop);
  }
  Expected<FinishedMessage> finished;
  if (const auto* generate = std::get_if<GenerateMessage>(&request.message)) {
    finished = host_.generate(
        *generate, [this, &request] { send_frames(request, false); }, stop);
  } else if (const auto* step = std::get_if<StepMessage>(&request.message)) {
    finished = host_.step(*step, stop);
  } else {
    return fail(ErrorCode::internal, std::string("“") + type_name(request.message) + "” is not a request to be run");
  }
  send_frames(request, true);
  if (!finished) return Unexpected(finished.error());
  writer_->send(request, *std::move(finished));
  return {};
}

Expected<void> RequestRunner::open(const Envelope& request, const OpenMessage& message, const std::stop_token& stop) {
  writer_->send(request, ProgressMessage{ProgressPhase::opening, 0, 1, 0});
  {
    const std::unique_lock lock(sequence_.mutex);
    NATSCOPE_TRY(ModelDescription model, host_.open(message, stop));
    has_replaced_ = true;
    sent_frames_ = 0;
    named_.clear();
    sequence_.generation = request.generation;
    writer_->send(request, OpenedMessage{std::move(model)});
  }
  // Reading gigabytes for a checksum must hold up neither a request nor the end of the program.
  try {
    std::thread([identity = host_.identity(), writer = writer_, id = request.id, generation = request.generation] {
      try {
        writer->send({id, generation, IdentityMessage{identity()}});
      } catch (const std::exception&) {
        return;  // no memory for it: the window goes without
      }
    }).detach();
  } catch (const std::exception&) {
    return {};  // no thread for it: likewise
  }
  return {};
}

Expected<void> RequestRunner::analyse(const Envelope& request, const AnalyseMessage& message,
                                      const std::stop_token& stop) {
  {
    const std::unique_lock lock(sequence_.mutex);
    NATSCOPE_TRY(StartedMessage started, host_.start(message));
    has_replaced_ = true;
    sent_frames_ = 0;
    named_.clear();
    sequence_.generation = request.generation;
    writer_->send(request, std::move(started));
  }
  return prefill(request, stop);
}

Expected<void> RequestRunner::prefill(const Envelope& request, const std::stop_token& stop) {
  const auto start = Clock::now();
  auto last = start - progress_pause;  // the first one is told at once
  const auto on_progress = [&](std::int64_t done, std::int64_t total) {
    if (done < total && Clock::now() - last < progress_pause) return;
    last = Clock::now();
    writer_->send(request, ProgressMessage{ProgressPhase::prefill, done, total, seconds_since(start)});
  };
  const auto ready = host_.prefill(on_progress, stop);
  send_frames(request, true);  // after an interruption, too: the sequence stands after the last whole chunk
  if (!ready) return Unexpected(ready.error());
  writer_->send(request, *ready);
  return {};
}

void RequestRunner::send_frames(const Envelope& request, bool all) {
  if (!all && Clock::now() - last_frames_ < frame_pause) return;
  const SequenceRecord& record = host_.record();
  while (sent_frames_ < record.size()) {
    FramesMessage message;
    for (std::size_t bytes = 0; sent_frames_ < record.size() && bytes < frames_bytes; ++sent_frames_) {
      const TokenFrame& frame = record.frame(TokenPos(static_cast<std::int32_t>(sent_frames_)));
      bytes += rough_bytes(frame);
      name_token(frame.token, message);
      for (const TokenCandidate& candidate : frame.candidates) name_token(candidate.token, message);
      message.frames.push_back(frame);
    }
    if (!writer_->send(request, std::move(message))) break;
  }
  last_frames_ = Clock::now();
}

void RequestRunner::name_token(std::int32_t token, FramesMessage& message) {
  if (named_.insert(token).second) message.texts.emplace_back(token, host_.token_text(token));
}

}  // namespace natscope::protocol
