// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/server_threads.h"

#include <chrono>
#include <new>

#include "core/base/cancel.h"

namespace natscope::protocol {
namespace {

constexpr std::size_t max_waiting_requests = 64;
constexpr std::size_t max_waiting_questions = 4096;

}  // namespace

RequestThread::RequestThread(RequestRunner& runner, FrameWriter& writer)
    : runner_(runner), writer_(writer), thread_([this] { loop(); }) {}

RequestThread::~RequestThread() { finish(); }

void RequestThread::push(Envelope request) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < max_waiting_requests) {
      waiting_.push_back(std::make_shared<Job>(Job{std::move(request), {}}));
      changed_.notify_one();
      return;
    }
  }
  writer_.send(request, ErrorMessage{make_error(ErrorCode::usage, "too many requests are waiting",
                                                "wait for answers before asking for more")});
}

void RequestThread::stop(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto stop_one = [id](const std::shared_ptr<Job>& job) {
    if (job && (id == 0 || job->request.id == id)) job->stop.request_stop();
  };
  stop_one(running_);
  for (const auto& job : waiting_) stop_one(job);
}

void RequestThread::finish() {
  {
    const std::lock_guard lock(mutex_);
    is_finishing_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void RequestThread::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_finishing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    running_ = std::move(waiting_.front());
    waiting_.pop_front();
    // With the output lost nobody can be told the result.
    if (writer_.lost()) running_->stop.request_stop();
    const std::shared_ptr<Job> job = running_;
    lock.unlock();
    runner_.run(job->request, job->stop.get_token());
    lock.lock();
    running_ = nullptr;
  }
}

QuestionThread::QuestionThread(EngineHost& host, FrameWriter& writer, Sequence& sequence)
    : host_(host), writer_(writer), sequence_(sequence), thread_([this] { loop(); }) {}

QuestionThread::~QuestionThread() { finish(true); }

void QuestionThread::push(Envelope question) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < max_waiting_questions) {
      waiting_.push_back(std::make_shared<Job>(Job{std::move(question), {}}));
      changed_.notify_one();
      return;
    }
  }
  writer_.send(question, ErrorMessage{make_error(ErrorCode::usage, "too many tiles are waiting",
                                                 "wait for answers before asking for more")});
}

void QuestionThread::stop(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  if (running_ && running_->request.id == id) running_->stop.request_stop();
  for (const auto& job : waiting_) {
    if (job->request.id == id) job->stop.request_stop();
  }
}

void QuestionThread::stop_all() {
  const std::lock_guard lock(mutex_);
  if (running_) running_->stop.request_stop();
  for (const auto& job : waiting_) job->stop.request_stop();
}

void QuestionThread::finish(bool hurry) {
  if (hurry) stop_all();
  {
    const std::lock_guard lock(mutex_);
    is_finishing_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void QuestionThread::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_finishing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    running_ = std::move(waiting_.back());
    waiting_.pop_back();
    const std::shared_ptr<Job> job = running_;
    lock.unlock();
    answer(job->request, job->stop.get_token());
    lock.lock();
    running_ = nullptr;
  }
}

void QuestionThread::answer(const Envelope& question, const std::stop_token& stop) {
  try {
    auto message = answer_to(question, stop);
    if (message)
      writer_.send(question, *std::move(message));
    else
      writer_.send(question, ErrorMessage{message.error()});
  } catch (const std::bad_alloc&) {
    writer_.send(question, ErrorMessage{make_error(ErrorCode::out_of_memory, "no memory for a piece of the map")});
  } catch (const std::exception& exception) {
    writer_.send(question, ErrorMessage{make_error(ErrorCode::internal, exception.what())});
  }
}

Expected<Message> QuestionThread::answer_to(const Envelope& question, const std::stop_token& stop) {
  const std::shared_lock lock(sequence_.mutex);
  NATSCOPE_CHECK(check(stop));
  if (const auto* turn = std::get_if<ChatTurnMessage>(&question.message)) {
    NATSCOPE_TRY(ChatPromptMessage prompt, host_.chat_prompt(*turn));
    return prompt;
  }
  // A model that was let go of for one that then failed has taken its sequence with it.
  if (question.generation != sequence_.generation || !host_.is_open()) {
    return fail(ErrorCode::interrupted, "the question is about a sequence that was replaced");
  }
  const auto start = std::chrono::steady_clock::now();
  const auto on_replay = [&](std::int64_t done, std::int64_t total) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    writer_.send(question, ProgressMessage{ProgressPhase::replay, done, total, seconds.count()});
  };
  if (const auto* request = std::get_if<TileRequestMessage>(&question.message)) {
    NATSCOPE_TRY(AttentionTile tile, host_.tile(*request, on_replay, stop));
    tile.compared_run = request->compared_run;
    return TileMessage{std::move(tile)};
  }
  NATSCOPE_TRY(WeightsMessage weights,
               host_.weights(std::get<WeightsRequestMessage>(question.message), on_replay, stop));
  return weights;
}

}  // namespace natscope::protocol
