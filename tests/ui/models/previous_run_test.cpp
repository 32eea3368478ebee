// SPDX-License-Identifier: GPL-3.0-or-later
// The run that something else took the place of: when it can be shown again, and what of another run it must not have.
#include <signal.h>

#include <QSignalSpy>

#include "tests/ui/models/bench_on_made_up_engine.h"
#include "tests/ui/panels/made_up_session.h"

using namespace natscope;
using namespace natscope::ui;

class PreviousRunTest : public BenchTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() { forget(); }
  void cleanup() { bench_.reset(); }

  void theRunBeforeATextThatWasStoppedComesBack() {
    begin(20, QStringLiteral("ab"));
    QSignalSpy finished(&bench_->client(), &EngineClient::finished);
    bench_->step();
    QVERIFY(finished.wait(patience));
    bench_->selection().pin(TokenPos(2));
    stopWhileItReads(QStringLiteral("abcdefghijklmnopqrst"));
    QVERIFY(bench_->runBefore() != nullptr);
    QCOMPARE(bench_->runBefore()->record.size(), 3);
    QVERIFY2(bench_->statusText().contains(QStringLiteral("Back to the previous run")),
             qPrintable(bench_->statusText()));
    QSignalSpy shown(bench_.get(), &Workbench::sessionShown);
    bench_->showRunBefore();
    QCOMPARE(bench_->client().record().size(), 3);
    QCOMPARE(bench_->client().promptTokens(), 2);
    QCOMPARE(bench_->options().text, QStringLiteral("ab"));
    QCOMPARE(shown.count(), 1);
    QVERIFY(bench_->selection().isPinned(TokenPos(2)));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->hasEngineSequence() && bench_->canContinue(), patience);
    bench_->step();
    QTRY_COMPARE_WITH_TIMEOUT(bench_->client().record().size(), 4, patience);
    // A text that is read to its end does not take its place for good either: something was written in it.
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse(), patience);
    ask(QStringLiteral("abc"));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 3, patience);
    QVERIFY(bench_->runBefore() != nullptr);
    QCOMPARE(bench_->runBefore()->record.size(), 4);
    // In this one nothing was, and its prompt says all of it.
    ask(QStringLiteral("abcde"));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 5, patience);
    QCOMPARE(bench_->runBefore()->record.size(), 4);
  }

  void aRunThatWasWrittenInIsNotGivenUpForAPrompt() {
    begin(1, QStringLiteral("abcd"));
    PromptOptions options = bench_->options();
    options.maxNewTokens = 6;
    bench_->setOptions(options);
    bench_->continueGenerating();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 10, patience);
    ask(QStringLiteral("another"));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 7, patience);
    // A session takes the place of what can be had again by reading it.
    bench_->showSession(madeUpSession(
        1, 1, 5, [](std::int32_t) { return 0.5; }, 9));
    QVERIFY(bench_->runBefore() != nullptr);
    QCOMPARE(bench_->runBefore()->record.size(), 10);
    bench_->showRunBefore();
    QCOMPARE(bench_->client().record().size(), 10);
  }

  /// Pins wait for the text that they stand in to be read again; where another run takes its place they wait no more.
  void whatWasPinnedInATextThatGaveWayIsNotPinnedInAnother_data() {
    QTest::addColumn<bool>("isSession");
    QTest::newRow("a session") << true;
    QTest::newRow("the previous run") << false;
  }
  void whatWasPinnedInATextThatGaveWayIsNotPinnedInAnother() {
    QFETCH(bool, isSession);
    begin(10, QStringLiteral("abcdefgh"));
    QTRY_VERIFY_WITH_TIMEOUT(!bench_->client().model()->sha256.empty(), patience);
    Session other = bench_->client().session();
    other.view = SessionView{};
    bench_->step();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 9, patience);
    ask(QStringLiteral("abcdef"));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 6, patience);
    pinSome();
    bench_->changeRoles({.window = 3});
    QVERIFY(!bench_->canAnalyse());
    isSession ? bench_->showSession(other) : bench_->showRunBefore();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canContinue() && bench_->hasEngineSequence(), patience);
    QVERIFY(isNothingPinned());
    bench_->changeRoles({.window = 4});
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->analysedChanges().window == 4, patience);
    QVERIFY(isNothingPinned());
  }

  void whatWasPinnedWhileAnotherPolicyWasReadIsNotPinnedLater() {
    begin(10, QStringLiteral("abcdefgh"));
    pinSome();
    bench_->readAside(*parse_policy("window:3"));
    bench_->endAside();
    bench_->selection().clear();
    bench_->changeRoles({.window = 4});
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->analysedChanges().window == 4, patience);
    QVERIFY(isNothingPinned());
  }

  /// Else it would be read again, and what was written in it would be nobody's.
  void aPolicyThatWaitsForAnEngineIsNotTriedOnThePreviousRun() {
    begin(5, QStringLiteral("abcd"));
    bench_->step();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 5, patience);
    ask(QStringLiteral("abcdef"));
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canAnalyse() && bench_->client().record().size() == 6, patience);
    ::kill(static_cast<pid_t>(bench_->client().processId()), SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(!bench_->canAnalyse(), patience);
    PromptOptions options = bench_->options();
    options.policy = QStringLiteral("window:3");
    bench_->setOptions(options);
    bench_->tryPolicy();
    bench_->showRunBefore();
    QTRY_VERIFY_WITH_TIMEOUT(bench_->canContinue() && bench_->hasEngineSequence(), patience);
    QTest::qWait(50);
    QVERIFY(bench_->canContinue());
    QCOMPARE(bench_->client().policy(), std::string("model"));
    QVERIFY(bench_->client().record().frame(TokenPos(4)).generated);
    QVERIFY(bench_->client().provenance().sampling);
  }

 private:
  void pinSome() {
    bench_->selection().pin(TokenPos(2));
    bench_->selection().pinQuery(TokenPos(4));
  }
  [[nodiscard]] bool isNothingPinned() const {
    return bench_->selection().pinned().empty() && !bench_->selection().pinnedQuery();
  }
};

QTEST_MAIN(PreviousRunTest)
#include "previous_run_test.moc"
