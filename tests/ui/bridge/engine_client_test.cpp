// SPDX-License-Identifier: GPL-3.0-or-later
#include <signal.h>

#include <QElapsedTimer>
#include <QtTest>
#include <algorithm>

#include "tests/ui/bridge/client_watch.h"
#include "tests/ui/bridge/fake_engine.h"

namespace natscope::ui::test {

class EngineClientTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void talksToAGoodEngine() {
    ClientWatch watch(fake(QStringLiteral("good")));
    QVERIFY(watch.makeReady("m", "abcde"));
    QCOMPARE(watch.client.state(), EngineClient::State::ready);
    QCOMPARE(watch.client.record().size(), 5);
    QCOMPARE(watch.client.promptTokens(), 5);
    QCOMPARE(watch.client.prefillSeconds(), 0.25);
    QVERIFY(watch.client.knowsSequence());
    QCOMPARE(watch.client.tokenText(5), QStringLiteral("t5"));
    QCOMPARE(watch.client.tokenText(777'777), QStringLiteral("<id 777777>"));

    watch.client.generate(tokens(30));
    QCOMPARE(watch.client.state(), EngineClient::State::generating);
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(watch.client.record().size(), 35);
    QCOMPARE(watch.lastFinished->generated, 30);
    watch.events.clear();
    watch.client.generate(tokens(30));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(watch.client.record().size(), 65);
    watch.events.clear();
    watch.client.step({});
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(watch.client.record().size(), 66);
    QVERIFY(ClientWatch::waitFor([&] { return watch.client.model()->sha256 == std::string(64, 'b'); }));
    QVERIFY(watch.errors.empty());
  }

  void asksForTilesAndWeights() {
    ClientWatch watch(fake(QStringLiteral("slow_tiles"), 20));
    QVERIFY(watch.makeReady("m", "abcde"));
    for (int i = 0; i < 100; ++i) watch.client.requestTile(tile(i % 10));
    QVERIFY(ClientWatch::waitFor([&] { return watch.tiles.size() >= 10; }));
    QTest::qWait(100);
    QCOMPARE(watch.tiles.size(), std::size_t{10});  // each once
    watch.client.requestWeights({LayerId(0), HeadId(0), TokenPos(0), TokenPos(0), 1, 3});
    for (int keys = 1; keys < 6; ++keys) {
      watch.client.requestWeights({LayerId(0), HeadId(0), TokenPos(0), TokenPos(0), 1, keys});
    }
    QVERIFY(ClientWatch::waitFor([&] { return watch.weights.size() >= 2; }));
    QTest::qWait(100);
    QCOMPARE(watch.weights.size(), std::size_t{2});  // the first was on its way, of the others the newest
    QCOMPARE(watch.weights.back().request.keys, 5);
  }

  /// Tiles that can wait come one after another, in order, and take no time from what somebody waits for.
  void announcesARecordThatGrowsOnceADrawnFrame() {
    ClientWatch watch(fake(QStringLiteral("slow"), 1));
    QVERIFY(watch.makeReady("m", "abc"));
    watch.recordChanges = 0;
    QElapsedTimer time;
    time.start();
    watch.client.generate(tokens(400));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QVERIFY2(watch.recordChanges <= time.elapsed() / 16 + 2, qPrintable(QString::number(watch.recordChanges)));
    QVERIFY(watch.recordChanges > 0);
    QCOMPARE(watch.client.record().size(), 403);
  }

  void stopsAndGoesOn() {
    ClientWatch watch(fake(QStringLiteral("slow"), 5));
    QVERIFY(watch.makeReady("m", "abc"));
    watch.client.generate(tokens(1'000'000));
    QVERIFY(ClientWatch::waitFor([&] { return watch.client.record().size() > 5; }));
    QElapsedTimer time;
    time.start();
    watch.client.stop();
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QVERIFY(time.elapsed() < 2000);
    QCOMPARE(watch.lastFinished->reason, StopReason::interrupted);
    QCOMPARE(watch.client.state(), EngineClient::State::ready);
  }

  void replacesASequenceWhileItGenerates() {
    ClientWatch watch(fake(QStringLiteral("slow"), 5));
    QVERIFY(watch.makeReady("m", "abc"));
    watch.client.generate(tokens(1'000'000));
    QVERIFY(ClientWatch::waitFor([&] { return watch.client.record().size() > 5; }));
    watch.events.clear();
    AnalyseMessage other;
    other.prompt = std::string("something else");
    watch.client.analyse(other);
    QVERIFY(watch.waitForEvent(QStringLiteral("analysed")));
    QCOMPARE(watch.client.record().size(), 14);
    QVERIFY2(!watch.events.contains(QStringLiteral("finished")), "the old sequence's end is nobody's business");
    QVERIFY(watch.errors.empty());
  }

  void reportsWhatFailedOnce() {
    ClientWatch watch(fake(QStringLiteral("good")));
    watch.client.start();
    watch.client.openModel({"missing", {}, Device::automatic, {}, 0, 0});
    watch.client.analyse({std::string("abc"), {}, 512, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("failed")));
    QTest::qWait(100);
    QCOMPARE(watch.errors.size(), std::size_t{1});
    QCOMPARE(watch.errors[0].code, ErrorCode::file_not_found);
    QCOMPARE(watch.client.state(), EngineClient::State::idle);
    QVERIFY(!watch.client.model());
  }

  void aRefusedTextChangesNothing() {
    ClientWatch watch(fake(QStringLiteral("slow_tiles"), 60));
    QVERIFY(watch.makeReady("m", "abcde"));
    watch.events.clear();
    // One tile is on its way and others wait when the text comes: all of them still come, and weights do.
    for (int i = 0; i < 6; ++i) watch.client.requestTile(tile(i));
    watch.client.requestWeights({LayerId(0), HeadId(0), TokenPos(0), TokenPos(0), 1, 3});
    QTest::qWait(20);
    watch.client.analyse({std::string(), {}, 512, 0});
    watch.client.generate(tokens(5));  // was to go on with it
    QVERIFY(watch.waitForEvent(QStringLiteral("failed")));
    QCOMPARE(watch.errors[0].code, ErrorCode::bad_text);
    QCOMPARE(watch.client.record().size(), 5);
    QVERIFY(watch.client.knowsSequence());
    QVERIFY(ClientWatch::waitFor([&] { return watch.tiles.size() == 6 && watch.weights.size() == 1; }));
    QCOMPARE(watch.client.state(), EngineClient::State::ready);
    QCOMPARE(watch.errors.size(), std::size_t{1});
    QVERIFY(!watch.events.contains(QStringLiteral("sequence")));
    QVERIFY(!watch.events.contains(QStringLiteral("finished")));
    watch.client.generate(tokens(3));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(watch.client.record().size(), 8);
    watch.events.clear();
    watch.client.analyse({std::string("abcd"), {}, 512, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("analysed")));
    QCOMPARE(watch.client.record().size(), 4);
  }

  void aModelThatIsNotOpenedLeavesTheOldOne_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<bool>("isReopened");
    QTest::newRow("refused before the old one was let go") << QStringLiteral("missing") << false;
    QTest::newRow("failed afterwards") << QStringLiteral("too large") << true;
  }
  void aModelThatIsNotOpenedLeavesTheOldOne() {
    QFETCH(QString, name);
    QFETCH(bool, isReopened);
    ClientWatch watch(fake(QStringLiteral("good")));
    QVERIFY(watch.makeReady("m", "abcde"));
    watch.client.generate(tokens(3));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    watch.events.clear();
    watch.client.openModel({name.toStdString(), {}, Device::automatic, {}, 0, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("failed")));
    QVERIFY(watch.events.contains(QStringLiteral("refused")));
    QCOMPARE(watch.client.model()->path, std::string("m"));
    QCOMPARE(watch.client.record().size(), 8);
    if (isReopened) QVERIFY(watch.waitForEvent(QStringLiteral("restored")));
    QCOMPARE(watch.events.contains(QStringLiteral("opened")), isReopened);
    QVERIFY(watch.client.knowsSequence());
    QVERIFY(watch.client.isOfOpenModel());
    QCOMPARE(watch.errors.size(), std::size_t{1});
    watch.client.requestTile(tile(0));
    QVERIFY(ClientWatch::waitFor([&] { return !watch.tiles.empty(); }));
    watch.events.clear();
    watch.client.generate(tokens(2));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(watch.client.record().size(), 10);
    // And the next one that can be opened is.
    watch.client.openModel({"n", {}, Device::automatic, {}, 0, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("opened")));
    QCOMPARE(watch.client.model()->path, std::string("n"));
    QVERIFY(!watch.client.isOfOpenModel());
    QCOMPARE(watch.client.session().model_path, std::string("m"));
  }

  void ofTwoModelsTheOneThatIsOpenedCounts() {
    ClientWatch watch(fake(QStringLiteral("slow"), 30));
    QVERIFY(watch.makeReady("m", "ab"));
    watch.events.clear();
    watch.client.openModel({"n", {}, Device::automatic, {}, 0, 0});
    QTest::qWait(5);
    watch.client.openModel({"missing", {}, Device::automatic, {}, 0, 0});
    // The first may have been stopped before the old one was let go, after it, or too late.
    QVERIFY(ClientWatch::waitFor([&] {
      return !watch.errors.empty() && watch.client.knowsSequence() &&
             watch.client.state() == EngineClient::State::ready;
    }));
    QCOMPARE(watch.client.model()->path, std::string("m"));
    QCOMPARE(watch.client.record().size(), 2);
    watch.client.requestTile(tile(0));
    QVERIFY(ClientWatch::waitFor([&] { return !watch.tiles.empty(); }));
    QCOMPARE(watch.errors.size(), std::size_t{1});
    QCOMPARE(watch.errors[0].code, ErrorCode::file_not_found);
  }

  void survivesAKilledEngine() {
    ClientWatch watch(fake(QStringLiteral("slow"), 2));
    QVERIFY(watch.makeReady("m", "abc"));
    watch.client.generate(tokens(1'000'000));
    QVERIFY(ClientWatch::waitFor([&] { return watch.client.record().size() > 10; }));
    const qint64 old = watch.client.processId();
    ::kill(static_cast<pid_t>(old), SIGKILL);
    QVERIFY(watch.waitForEvent(QStringLiteral("lost")));
    QVERIFY(watch.client.record().size() > 10);  // what was shown stays
    watch.events.clear();
    QVERIFY(watch.waitForEvent(QStringLiteral("opened")));
    QVERIFY(watch.client.processId() != old);
    QVERIFY(watch.client.record().size() > 10);
    // The new engine is given what is shown, and goes on with it.
    QVERIFY(watch.waitForEvent(QStringLiteral("restored")));
    QVERIFY2(!watch.events.contains(QStringLiteral("sequence")), "what is shown has not changed");
    QCOMPARE(watch.client.state(), EngineClient::State::ready);
    QVERIFY(watch.client.knowsSequence());
    const std::int64_t shown = watch.client.record().size();
    watch.client.generate(tokens(5));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(watch.client.record().size(), shown + 5);
    watch.client.requestTile(tile(0));
    QVERIFY(ClientWatch::waitFor([&] { return !watch.tiles.empty(); }));
    watch.events.clear();
    watch.client.analyse({std::string("abcd"), {}, 512, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("analysed")));
    QCOMPARE(watch.client.record().size(), 4);
  }

  /// Of a text with more roles than a message should hold the model decides again: it can go on all the same.
  void aSequenceOfManyRolesIsGivenWithoutThem() {
    ClientWatch watch(fake(QStringLiteral("good")));
    watch.client.setMostRolesGiven(10);
    QVERIFY(watch.makeReady("m", "abcde"));
    watch.client.generate(tokens(4));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    watch.events.clear();
    ::kill(static_cast<pid_t>(watch.client.processId()), SIGKILL);
    QVERIFY(watch.waitForEvent(QStringLiteral("restored")));
    QVERIFY(watch.client.knowsSequence());
    QCOMPARE(watch.client.record().size(), 9);
    QVERIFY(watch.client.record().frame(TokenPos(7)).generated);
    watch.events.clear();
    watch.client.generate(tokens(2));
    QVERIFY(watch.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(watch.client.record().size(), 11);

    // What reading it again finds otherwise is shown; who wrote it is not forgotten.
    QVERIFY(ClientWatch::waitFor([&] { return !watch.client.model()->sha256.empty(); }));
    Session session = watch.client.session();
    SequenceRecord other(session.record.geometry(), true, session.record.window());
    for (TokenFrame frame : session.record.frames()) {
      if (frame.position.value == 4) frame.entries[0] += 1;
      QVERIFY(other.append(frame));
    }
    session.record = other;
    watch.events.clear();
    watch.client.showSession(session);
    QVERIFY(watch.waitForEvent(QStringLiteral("restored")));
    const TokenFrame& again = watch.client.record().frame(TokenPos(4));
    QCOMPARE(again.entries[0], other.frame(TokenPos(4)).entries[0] - 1);
    QCOMPARE(watch.client.record().size(), 11);
    QVERIFY(!again.generated);
    QVERIFY(watch.client.record().frame(TokenPos(7)).generated);

    // Roles of a file that only the session knows of cannot be decided again, and that is said.
    session.provenance.by_hand.roles_sha256 = std::string(64, 'd');
    watch.events.clear();
    watch.client.showSession(session);
    QVERIFY(watch.waitForEvent(QStringLiteral("not restored")));
    QVERIFY(!watch.client.knowsSequence());
  }

  void showsASessionWithoutAnEngineAndGivesItToOne() {
    ClientWatch first(fake(QStringLiteral("good")));
    QVERIFY(first.makeReady("m", "abcde"));
    first.client.generate(tokens(3));
    QVERIFY(first.waitForEvent(QStringLiteral("finished")));
    QVERIFY(ClientWatch::waitFor([&] { return !first.client.model()->sha256.empty(); }));
    const Session session = first.client.session();
    QCOMPARE(session.prompt, std::string("abcde"));
    QCOMPARE(session.prompt_tokens, 5);
    QCOMPARE(session.record.size(), 8);
    QCOMPARE(session.policy, std::string("model"));
    QCOMPARE(session.model_path, std::string("m"));

    ClientWatch alone(fake(QStringLiteral("good")));
    alone.client.showSession(session);
    QCOMPARE(alone.client.record().size(), 8);
    QCOMPARE(alone.client.promptTokens(), 5);
    QVERIFY(!alone.client.knowsSequence());
    QCOMPARE(alone.client.tokenText(5), QStringLiteral("t5"));

    ClientWatch other(fake(QStringLiteral("good")));
    QVERIFY(other.makeReady("m", "x"));
    QVERIFY(ClientWatch::waitFor([&] { return !other.client.model()->sha256.empty(); }));
    other.client.showSession(session);
    QVERIFY(other.events.contains(QStringLiteral("sequence")));
    QVERIFY(other.waitForEvent(QStringLiteral("restored")));
    QVERIFY(other.client.knowsSequence());

    Session ofAnotherModel = session;
    ofAnotherModel.provenance.model_sha256 = std::string(64, 'c');
    other.events.clear();
    other.client.showSession(ofAnotherModel);
    QTest::qWait(100);
    QVERIFY(!other.events.contains(QStringLiteral("restored")));
    QCOMPARE(other.client.provenance().model_sha256, ofAnotherModel.provenance.model_sha256);
  }

  /// Of candidates only the names that came with them are known: another model's opening takes none away.
  void aSequenceKeepsTheNamesOfItsTokens() {
    ClientWatch first(fake(QStringLiteral("good")));
    QVERIFY(first.makeReady("m", "abcde"));
    QVERIFY(ClientWatch::waitFor([&] { return !first.client.model()->sha256.empty(); }));
    Session session = first.client.session();
    session.token_texts[4711] = "rare";

    // Shown before its model is open, as a file that is given to the program.
    ClientWatch other(fake(QStringLiteral("good")));
    other.client.showSession(session);
    other.client.start();
    other.client.openModel({"m", {}, Device::automatic, {}, 0, 0});
    QVERIFY(other.waitForEvent(QStringLiteral("restored")));
    QCOMPARE(other.client.tokenText(4711), QStringLiteral("rare"));
    QCOMPARE(other.client.session().token_texts.at(4711), std::string("rare"));

    // A file that does not name it gets no other one's name, and a new text has its own.
    session.token_texts.erase(4711);
    other.client.showSession(session);
    QCOMPARE(other.client.tokenText(4711), QStringLiteral("<id 4711>"));
    QCOMPARE(other.client.tokenText(5), QStringLiteral("t5"));
    session.token_texts = {{4711, "of another model"}};
    other.client.showSession(session);
    other.events.clear();
    other.client.analyse({std::string("abc"), {}, 512, 0});
    QVERIFY(other.waitForEvent(QStringLiteral("analysed")));
    QCOMPARE(other.client.tokenText(4711), QStringLiteral("<id 4711>"));
    QCOMPARE(other.client.tokenText(5), QStringLiteral("t5"));
  }

  void losesBadEngines_data() {
    QTest::addColumn<QString>("mode");
    QTest::addColumn<QString>("says");
    QTest::newRow("text") << QStringLiteral("text") << QStringLiteral("no message");
    QTest::newRow("huge length") << QStringLiteral("huge") << QStringLiteral("claims");
    QTest::newRow("dies at once") << QStringLiteral("dies") << QStringLiteral("last words");
    QTest::newRow("its last words are no line") << QStringLiteral("mutters") << QStringLiteral("no line break");
    QTest::newRow("dies after hello") << QStringLiteral("dies_after_hello") << QStringLiteral("code 8");
    QTest::newRow("contradicts itself") << QStringLiteral("contradict") << QStringLiteral("contradicted");
    QTest::newRow("asks the window") << QStringLiteral("asks") << QStringLiteral("stop");
    QTest::newRow("another protocol") << QStringLiteral("future") << QStringLiteral("it speaks protocol");
  }
  void losesBadEngines() {
    QFETCH(QString, mode);
    QFETCH(QString, says);
    ClientWatch watch(fake(mode));
    watch.client.start();
    watch.client.openModel({"m", {}, Device::automatic, {}, 0, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("lost")));
    QVERIFY2(watch.lostReason.contains(says), qPrintable(watch.lostReason));
    // A good one takes over when the user names it.
    watch.client.setCommandLine(fake(QStringLiteral("good")));
    watch.client.restart();
    watch.events.clear();
    watch.client.openModel({"m", {}, Device::automatic, {}, 0, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("opened")));
  }

  void doesNotStartDyingEnginesInARush() {
    ClientWatch watch(fake(QStringLiteral("dies")));
    watch.client.start();
    QTest::qWait(2000);
    const auto deaths = watch.events.count(QStringLiteral("lost"));
    QVERIFY2(deaths >= 2 && deaths <= 6, qPrintable(QString::number(deaths)));
  }

  void saysWhenThereIsNoSuchProgram() {
    ClientWatch watch({QStringLiteral("/no/such/natscope-engine")});
    watch.client.start();
    QVERIFY(watch.waitForEvent(QStringLiteral("lost")));
    QVERIFY(watch.lostReason.contains(QStringLiteral("/no/such/natscope-engine")));
    QTest::qWait(700);
    QCOMPARE(watch.events.count(QStringLiteral("lost")), 1);  // not tried again and again
    QCOMPARE(watch.client.state(), EngineClient::State::lost);
    QVERIFY(!watch.client.isComingBack());
    // Whoever asks for a model is told once more, and gets it where there is a program by now.
    watch.client.openModel({"m", {}, Device::automatic, {}, 0, 0});
    QVERIFY(ClientWatch::waitFor([&] { return watch.events.count(QStringLiteral("lost")) == 2; }));
    watch.client.setCommandLine(fake(QStringLiteral("good")));
    watch.client.openModel({"m", {}, Device::automatic, {}, 0, 0});
    QVERIFY(watch.waitForEvent(QStringLiteral("opened")));
  }

  void neverWaitsLongForASilentEngine() {
    QElapsedTimer time;
    time.start();
    {
      ClientWatch watch(fake(QStringLiteral("silent")));
      watch.client.start();
      watch.client.openModel({"m", {}, Device::automatic, {}, 0, 0});
      QTest::qWait(100);
      QCOMPARE(watch.client.state(), EngineClient::State::starting);
    }
    QVERIFY(time.elapsed() < 3000);
    time.restart();
    ClientWatch watch(fake(QStringLiteral("silent")));
    watch.client.start();
    watch.client.shutdown();
    QCOMPARE(watch.client.state(), EngineClient::State::stopped);
    QVERIFY(time.elapsed() < 1000);
  }

  void survivesGarbage() {
    const auto seed = static_cast<int>(QDateTime::currentSecsSinceEpoch() % 100'000);
    for (int i = 0; i < 40; ++i) {
      qInfo("seed %d (repeat with: test_fake_engine garbage %d)", seed + i, seed + i);
      ClientWatch watch(fake(QStringLiteral("garbage"), seed + i));
      watch.client.start();
      watch.client.openModel({"m", {}, Device::automatic, {}, 0, 0});
      watch.client.analyse({std::string("abc"), {}, 512, 0});
      watch.client.requestTile(tile(0));
      QVERIFY(watch.waitForEvent(QStringLiteral("lost")));
    }
  }
};

}  // namespace natscope::ui::test

QTEST_GUILESS_MAIN(natscope::ui::test::EngineClientTest)
#include "engine_client_test.moc"
