// SPDX-License-Identifier: GPL-3.0-or-later
// A turn of a conversation between a window and an engine.
#include <QtTest>

#include "tests/ui/bridge/client_watch.h"

namespace natscope::ui::test {

class ChatPromptTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void asksForAChatPromptOneAtATime() {
    ClientWatch watch({QStringLiteral(NATSCOPE_FAKE_ENGINE), QStringLiteral("good")});
    QSignalSpy arrived(&watch.client, &EngineClient::chatPromptArrived);
    watch.client.requestChatPrompt(QStringLiteral("too early"));
    QVERIFY(watch.makeReady("m", "abcde"));
    QVERIFY(watch.client.canMakeChatPrompt());
    watch.client.requestChatPrompt(QStringLiteral("a"));
    QVERIFY(!watch.client.canMakeChatPrompt());
    watch.client.requestChatPrompt(QStringLiteral("b"));
    watch.client.analyse({.prompt = std::string("another text")});  // ends the questions that wait
    QVERIFY(arrived.count() > 0 || arrived.wait());
    QTest::qWait(100);
    QCOMPARE(arrived.count(), 1);
    QCOMPARE(arrived.front().at(0).toString(), QStringLiteral("a"));
    QCOMPARE(arrived.front().at(1).toString(), QStringLiteral("<user>a<answer>"));
    QVERIFY(watch.errors.empty());
    QVERIFY(watch.client.canMakeChatPrompt());
  }
};

}  // namespace natscope::ui::test

QTEST_GUILESS_MAIN(natscope::ui::test::ChatPromptTest)
#include "chat_prompt_test.moc"
