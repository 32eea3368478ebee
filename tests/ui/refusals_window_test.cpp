// SPDX-License-Identifier: GPL-3.0-or-later
// What goes wrong is a bar in the window, and what was shown stays: against the real engine and a small random model.
#include <QApplication>
#include <QFile>
#include <QRegularExpression>
#include <QSignalSpy>
#include <QTest>
#include <algorithm>
#include <csignal>

#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"

using namespace natscope;
using namespace natscope::ui;

class RefusalsWindowTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() { QVERIFY(begin()); }
  void cleanup() { end(); }

  void aBadModelIsACalmBar() {
    window_->openModel(tiny_.filePath(QStringLiteral("nowhere")));
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(QApplication::activeModalWidget() == nullptr);
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("file-not-found")));
    QTest::keyClick(window_.get(), Qt::Key_Escape);
    QVERIFY(!window_->errorBar().isVisible());
    window_->openModel(tiny_.modelFolder());
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().sequence().size() > 5, patience);
  }

  void whatIsRefusedLeavesTheWindowAlive() {
    step();
    const qint64 shown = bench().sequence().size();
    const QString title = window_->windowTitle();
    const QString text = bench().sequence().text(TokenPos(3));
    bench().selection().pin(TokenPos(3));
    const auto isAlive = [&] {
      return bench().sequence().size() == shown && bench().sequence().text(TokenPos(3)) == text &&
             bench().selection().isPinned(TokenPos(3)) && bench().hasEngineSequence() && bench().canAnalyse() &&
             window_->windowTitle() == title && bench().modelPath().endsWith(QStringLiteral("/model")) &&
             bench().device() == QStringLiteral("cpu") && tiny_.settings().recentModels().size() == 1;
    };
    const auto refused = [&](const QString& code) {
      return QTest::qWaitFor([&] { return window_->errorBar().isVisible() && isAlive(); }, patience) &&
             window_->errorBar().text().contains(code);
    };
    for (const auto& [prompt, code] :
         {std::pair{QString(), QStringLiteral("bad-text")},
          std::pair{QStringLiteral("word ").repeated(3000), QStringLiteral("prompt-too-long")}}) {
      window_->prompt().setPrompt(prompt);
      bench().analyse();
      QVERIFY2(refused(code), qPrintable(window_->errorBar().text()));
      if (!prompt.isEmpty())
        QVERIFY(window_->errorBar().text().contains(QRegularExpression(QStringLiteral("\\d,\\d{3} tokens"))));
      bench().continueGenerating();  // the prompt is another one: refused again, never gone on with the old text
      QVERIFY(refused(code));
      window_->errorBar().hide();
    }
    window_->prompt().setPrompt(QStringLiteral("Oh, you wicked little thing! cried Alice."));
    PromptOptions options = bench().options();
    options.policy = QStringLiteral("window:some");
    bench().setOptions(options);
    bench().analyse();
    QVERIFY(refused(QStringLiteral("bad-policy")));
    window_->errorBar().hide();
    options.policy = QStringLiteral("model");
    bench().setOptions(options);
    window_->openModel(tiny_.filePath(QStringLiteral("nowhere")));
    QVERIFY(refused(QStringLiteral("file-not-found")));
    window_->errorBar().hide();
    bench().setDevice(QStringLiteral("cuda"));
    const auto isOnGpu = [&] { return bench().canAnalyse() && bench().device() == QStringLiteral("cuda"); };
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible() || isOnGpu(), patience);
    if (isOnGpu()) return;  // a build and a machine with a GPU
    QVERIFY(refused(QStringLiteral("device-unavailable")));
    QVERIFY(tiny_.settings().device() != QStringLiteral("cuda"));
    step();
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), shown + 1, patience);
    QVERIFY(!window_->errorBar().isVisible());
  }

  void anEmptyPromptIsACalmBar() {
    window_->prompt().setPrompt(QString());
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("bad-text")));
    window_->prompt().setPrompt(QStringLiteral("Alice was here"));
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(!window_->errorBar().isVisible() && bench().canAnalyse(), patience);
  }

  void aDeadEngineIsReplacedAndWhatWasShownStays() {
    const qint64 shown = bench().sequence().size();
    const qint64 process = bench().client().processId();
    QSignalSpy lost(&bench().client(), &EngineClient::engineLost);
    QSignalSpy logged(&bench(), &Workbench::logLine);
    QVERIFY(process > 0);
    ::kill(static_cast<pid_t>(process), SIGKILL);
    QVERIFY(lost.count() > 0 || lost.wait(patience));
    QVERIFY(window_->errorBar().isVisible());
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("engine-lost")));
    QCOMPARE(bench().sequence().size(), shown);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse(), patience);
    QVERIFY(bench().client().processId() != process);
    QCOMPARE(bench().sequence().size(), shown);
    QTRY_VERIFY_WITH_TIMEOUT(bench().hasEngineSequence() && bench().canContinue(), patience);
    QVERIFY(!window_->errorBar().isVisible());
    // Which may have been before anybody had read it.
    QVERIFY2(bench().statusText().startsWith(QStringLiteral("The engine was killed")),
             qPrintable(bench().statusText()));
    QVERIFY(std::any_of(logged.begin(), logged.end(), [](const QList<QVariant>& line) {
      return line.first().toString().contains(QStringLiteral("engine-lost: the engine was killed"));
    }));
    step();  // goes on from the last token that was shown
    QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), shown + 1, patience);
  }

  void aBadSessionIsACalmBar() {
    const QString path = tiny_.filePath(QStringLiteral("bad.safetensors"));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("no session");
    file.close();
    const qint64 shown = bench().sequence().size();
    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QCOMPARE(bench().sequence().size(), shown);
  }

 private:
  void step() {
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
  }
};

QTEST_MAIN(RefusalsWindowTest)
#include "refusals_window_test.moc"
