// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <functional>

#include "ui/bridge/engine_client.h"

namespace natscope::ui::test {

/// A client and everything it signalled, in order, as short words: "started", "opened", "finished", …
class ClientWatch : public QObject {
  Q_OBJECT

 public:
  explicit ClientWatch(const QStringList& commandLine);

  EngineClient client;
  QStringList events;  ///< recordChanged is counted, not listed
  int recordChanges = 0;
  QString lostReason;
  std::vector<Error> errors;
  std::vector<AttentionTile> tiles;
  std::vector<WeightsMessage> weights;
  int weightsFailures = 0;
  std::optional<FinishedMessage> lastFinished;

  /// Runs the event loop until `done`, or fails after a while.
  [[nodiscard]] static bool waitFor(const std::function<bool()>& done, int patienceMs = 30'000);
  [[nodiscard]] bool waitForEvent(const QString& event, int patienceMs = 30'000);

  /// Opens a model, analyses a text, and waits until that is done.
  [[nodiscard]] bool makeReady(const std::string& model, const std::string& text);
};

}  // namespace natscope::ui::test
