// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <shared_mutex>
#include <unordered_set>

#include "core/protocol/frame_writer.h"
#include "core/protocol/server.h"

namespace natscope::protocol {

/// What the thread that runs requests and the one that answers questions about the sequence share.
struct Sequence {
  std::shared_mutex mutex;  ///< held whole while the model or the sequence is replaced, shared by questions
  std::atomic<std::uint64_t> generation{0};  ///< of the sequence that stands
};

/// Runs one request after another on a host and sends what comes of it. One thread.
class RequestRunner {
 public:
  RequestRunner(EngineHost& host, std::shared_ptr<FrameWriter> writer, Sequence& sequence)
      : host_(host), writer_(std::move(writer)), sequence_(sequence) {}

  /// open, analyse, generate, step or follow_up.
  void run(const Envelope& request, std::stop_token stop);

 private:
  Expected<void> dispatch(const Envelope& request, const std::stop_token& stop);
  Expected<void> open(const Envelope& request, const OpenMessage& message, const std::stop_token& stop);
  Expected<void> analyse(const Envelope& request, const AnalyseMessage& message, const std::stop_token& stop);
  Expected<void> prefill(const Envelope& request, const std::stop_token& stop);
  /// Sends the frames that were not sent yet: those that gathered since the last time when enough time went by, or all.
  void send_frames(const Envelope& request, bool all);
  void name_token(std::int32_t token, FramesMessage& message);

  EngineHost& host_;
  std::shared_ptr<FrameWriter> writer_;
  Sequence& sequence_;
  bool has_replaced_ = false;  // whether the request that runs has taken the place of what stood before it
  std::int64_t sent_frames_ = 0;
  std::unordered_set<std::int32_t> named_;  // tokens whose text the other end knows
  std::chrono::steady_clock::time_point last_frames_;
};

}  // namespace natscope::protocol
