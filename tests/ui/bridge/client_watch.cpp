// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/bridge/client_watch.h"

#include <QtTest>

namespace natscope::ui::test {

ClientWatch::ClientWatch(const QStringList& commandLine) {
  client.setCommandLine(commandLine);
  const auto note = [this](const char* event) { events << QString::fromLatin1(event); };
  connect(&client, &EngineClient::engineStarted, this, [note] { note("started"); });
  connect(&client, &EngineClient::modelOpened, this, [note] { note("opened"); });
  connect(&client, &EngineClient::modelIdentified, this, [note] { note("identified"); });
  connect(&client, &EngineClient::sequenceStarted, this, [note] { note("sequence"); });
  connect(&client, &EngineClient::sequenceRestored, this, [note] { note("restored"); });
  connect(&client, &EngineClient::notRestored, this, [note] { note("not restored"); });
  connect(&client, &EngineClient::analysed, this, [note] { note("analysed"); });
  connect(&client, &EngineClient::recordChanged, this, [this] { ++recordChanges; });
  connect(&client, &EngineClient::finished, this, [this, note](const FinishedMessage& result) {
    lastFinished = result;
    note("finished");
  });
  connect(&client, &EngineClient::modelRefused, this, [note] { note("refused"); });
  connect(&client, &EngineClient::weightsFailed, this, [this] { ++weightsFailures; });
  connect(&client, &EngineClient::failed, this, [this, note](const Error& error) {
    errors.push_back(error);
    note("failed");
  });
  connect(&client, &EngineClient::engineLost, this, [this, note](const QString& reason) {
    lostReason = reason;
    note("lost");
  });
  connect(&client, &EngineClient::tileArrived, this, [this](const AttentionTile& tile) { tiles.push_back(tile); });
  connect(&client, &EngineClient::weightsArrived, this,
          [this](const WeightsMessage& message) { weights.push_back(message); });
}

bool ClientWatch::waitFor(const std::function<bool()>& done, int patienceMs) {
  return QTest::qWaitFor(done, patienceMs);
}

bool ClientWatch::waitForEvent(const QString& event, int patienceMs) {
  return waitFor([&] { return events.contains(event); }, patienceMs);
}

bool ClientWatch::makeReady(const std::string& model, const std::string& text) {
  client.start();
  OpenMessage open;
  open.model = model;
  open.threads = 1;
  client.openModel(open);
  AnalyseMessage prompt;
  prompt.prompt = text;
  client.analyse(prompt);
  return waitForEvent(QStringLiteral("analysed"));
}

}  // namespace natscope::ui::test
