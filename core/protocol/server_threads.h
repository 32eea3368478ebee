// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/protocol/request_runner.h"

/// The two threads of a server. Private to core/protocol.
namespace natscope::protocol {

/// What was asked for, and how it is stopped.
struct Job {
  Envelope request;
  std::stop_source stop;
};

/// Runs what changes model or sequence (open, analyse, generate, step, follow-up …) in the order it came.
class RequestThread {
 public:
  RequestThread(RequestRunner& runner, FrameWriter& writer);
  ~RequestThread();

  /// Too many that wait are answered with an error instead.
  void push(Envelope request);
  /// Stops the request with this id, or with 0 all that run and wait; each answers for itself.
  void stop(std::uint64_t id = 0);
  /// Returns when everything has run. Nothing may be pushed afterwards.
  void finish();

 private:
  void loop();

  RequestRunner& runner_;
  FrameWriter& writer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> waiting_;
  std::shared_ptr<Job> running_;
  bool is_finishing_ = false;
  std::thread thread_;
};

/// Answers what is asked of what stands (tiles, weights, chat turns), the newest first: it is what is on screen now.
class QuestionThread {
 public:
  QuestionThread(EngineHost& host, FrameWriter& writer, Sequence& sequence);
  ~QuestionThread();

  void push(Envelope question);
  /// That one ends with `interrupted`.
  void stop(std::uint64_t id);
  /// Those that run and wait end with `interrupted`: the sequence they are about is being replaced.
  void stop_all();
  /// Returns when everything was answered, at once with `hurry`.
  void finish(bool hurry);

 private:
  void loop();
  void answer(const Envelope& question, const std::stop_token& stop);
  Expected<Message> answer_to(const Envelope& question, const std::stop_token& stop);

  EngineHost& host_;
  FrameWriter& writer_;
  Sequence& sequence_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Job>> waiting_;
  std::shared_ptr<Job> running_;
  bool is_finishing_ = false;
  std::thread thread_;
};

}  // namespace natscope::protocol
