// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/weights_queue.h"

#include "ui/models/elsewhere.h"

namespace natscope::ui {
namespace {

bool isSame(const WeightsRequestMessage& a, const WeightsRequestMessage& b) {
  return a.layer == b.layer && a.head == b.head && a.first_query == b.first_query && a.first_key == b.first_key &&
         a.queries == b.queries && a.keys == b.keys;
}

}  // namespace

WeightsQueue::WeightsQueue(EngineClient& client, ShownRecording recording, QObject* parent)
    : QObject(parent), client_(client), recording_(std::move(recording)) {
  connect(&client_, &EngineClient::weightsArrived, this, [this](const WeightsMessage& weights) {
    if (current_ && isSame(weights.request, current_->request)) finish(weights);
  });
  connect(&client_, &EngineClient::weightsFailed, this,
          [this](const WeightsRequestMessage& request, const Error& error) {
            if (current_ && isSame(request, current_->request)) finish(Unexpected(error));
          });
  connect(&client_, &EngineClient::sequenceStarted, this,
          [this] { failAll(make_error(ErrorCode::interrupted, "another text was analysed meanwhile")); });
  connect(&client_, &EngineClient::modelOpened, this,
          [this] { failAll(make_error(ErrorCode::interrupted, "another model was opened meanwhile")); });
  connect(&client_, &EngineClient::engineLost, this,
          [this](const QString& reason) { failAll(make_error(ErrorCode::engine_lost, reason.toStdString())); });
}

void WeightsQueue::look(const WeightsRequestMessage& request, Answer answer) {
  look_ = Wish{request, std::move(answer)};
  sendNext();
}

void WeightsQueue::ask(const WeightsRequestMessage& request, Answer answer) {
  work_.push_back({request, std::move(answer)});
  sendNext();
}

void WeightsQueue::sendNext() {
  if (current_) return;
  if (look_) {
    current_ = std::exchange(look_, std::nullopt);
  } else if (!work_.empty()) {
    current_ = std::move(work_.front());
    work_.pop_front();
  } else {
    return;
  }
  if (const auto recording = recording_()) return answerFrom(recording);
  client_.requestWeights(current_->request);
}

void WeightsQueue::answerFrom(const std::shared_ptr<const Recording>& recording) {
  elsewhere(
      this, [recording, request = current_->request] { return recording->weights(request); },
      [this, request = current_->request, shown = shown_](const Expected<WeightsMessage>& weights) {
        if (shown == shown_ && current_ && isSame(request, current_->request)) finish(weights);
      });
}

void WeightsQueue::finish(const Expected<WeightsMessage>& result) {
  // The answer may ask again: the place is free before it is called.
  const Wish done = *std::exchange(current_, std::nullopt);
  done.answer(result);
  sendNext();
}

void WeightsQueue::failAll(const Error& error) {
  ++shown_;  // another recording's answer may be on its way
  std::deque<Wish> wishes;
  wishes.swap(work_);
  if (current_) wishes.push_front(*std::exchange(current_, std::nullopt));
  look_.reset();
  for (const Wish& wish : wishes) wish.answer(Unexpected(error));
}

}  // namespace natscope::ui
