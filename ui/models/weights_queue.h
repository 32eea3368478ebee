// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <deque>
#include <functional>
#include <optional>

#include "core/base/expected.h"
#include "ui/bridge/engine_client.h"
#include "ui/models/recording.h"

namespace natscope::ui {

/// Rectangles of weights, asked for one after another, each with who wants the answer.
///
/// Two kinds share the one line to the engine: `look` is what the cursor is on, where only the newest wish counts;
/// `ask` is work that must be answered in full (an export), in its order. Looks go first.
class WeightsQueue : public QObject {
  Q_OBJECT

 public:
  using Answer = std::function<void(const Expected<WeightsMessage>& weights)>;

  using ShownRecording = std::function<std::shared_ptr<const Recording>()>;

  /// `recording`: the one that is shown, which answers in the engine's place, or null.
  WeightsQueue(EngineClient& client, ShownRecording recording, QObject* parent = nullptr);

  void look(const WeightsRequestMessage& request, Answer answer);
  void ask(const WeightsRequestMessage& request, Answer answer);

 private:
  struct Wish {
    WeightsRequestMessage request;
    Answer answer;
  };
  void sendNext();
  void answerFrom(const std::shared_ptr<const Recording>& recording);
  void finish(const Expected<WeightsMessage>& result);
  void failAll(const Error& error);

  EngineClient& client_;
  ShownRecording recording_;
  std::optional<Wish> look_;
  std::deque<Wish> work_;
  std::optional<Wish> current_;
  quint64 shown_ = 0;  // grows when something else is shown
};

}  // namespace natscope::ui
