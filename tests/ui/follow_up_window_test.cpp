// SPDX-License-Identifier: GPL-3.0-or-later
// A text given behind what the model wrote, from the field under it, against the real engine and a small random model.
#include <signal.h>

#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QStatusBar>
#include <QTest>
#include <QToolButton>

#include "tests/support/temporary_folder.h"
#include "tests/ui/patience.h"
#include "tests/ui/present_run_trace.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/models/figures/export_command.h"

using namespace natscope;
using namespace natscope::ui;

class FollowUpWindowTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() { tiny_.setChatTemplate({}); }
  void cleanup() { end(); }

  void returnGivesItToTheModel() {
    QVERIFY(begin());
    QVERIFY(!chat()->isVisible());
    write(3);
    const qint64 before = bench().sequence().size();
    QTest::keyClick(window_.get(), Qt::Key_F, Qt::ControlModifier | Qt::ShiftModifier);
    QTRY_VERIFY(field()->hasFocus());
    QTest::keyClicks(field(), QStringLiteral(" said the"));
    QTest::keyClick(field(), Qt::Key_Return, Qt::ShiftModifier);
    QTest::keyClicks(field(), QStringLiteral("Queen"));
    QCOMPARE(field()->toPlainText(), QStringLiteral(" said the\nQueen"));
    sendAndWait(before + 3);
    QVERIFY(field()->toPlainText().isEmpty());
    QVERIFY(field()->hasFocus());  // for the next one
    QVERIFY(allText().contains(QStringLiteral(" said the\nQueen")));
    QVERIFY(bench().isOfPrompt());
    QVERIFY(bench().canFollowUp());
    const auto frames = bench().sequence().record().frames();
    QVERIFY(frames[static_cast<std::size_t>(before - 1)].generated);
    QVERIFY(!frames[static_cast<std::size_t>(before)].generated);
    QVERIFY(frames.back().generated);
    // One more token, and another turn of the same.
    QTest::keyClicks(field(), QStringLiteral("!"));
    sendAndWait(bench().sequence().size() + 1);
  }

  void asATurnItHasTheMarksOfTheTemplate() {
    tiny_.setChatTemplate(
        QStringLiteral("{% for m in messages %}[{{ m.role }}] {{ m.content }}\\n{% endfor %}[answer]"));
    QVERIFY(begin());
    QVERIFY(chat()->isVisible());
    QVERIFY(!chat()->isChecked());  // the prompt is none
    QTest::mouseClick(window_->prompt().findChild<QPushButton*>(QStringLiteral("chat")), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(bench().options().text.startsWith(QStringLiteral("[user]")), patience);
    write(4);
    QVERIFY(chat()->isChecked());
    field()->setPlainText(QStringLiteral("And why?"));
    sendAndWait(bench().sequence().size() + 4);
    QVERIFY2(allText().contains(QStringLiteral("\n[user] And why?\n[answer]")), qPrintable(allText()));
  }

  void withCtrlItIsSentToo() {
    QVERIFY(begin());
    write(3);
    const qint64 before = bench().sequence().size();
    field()->setFocus();
    field()->setPlainText(QStringLiteral(" said the"));
    QSignalSpy finished(&bench().client(), &EngineClient::finished);
    QTest::keyClick(field(), Qt::Key_Return, Qt::ControlModifier);
    QVERIFY(finished.count() > 0 || finished.wait(patience));
    QVERIFY(bench().sequence().size() > before);
    QVERIFY(allText().contains(QStringLiteral(" said the")));
  }

  void aSessionKnowsWhatWasGivenAndThatItIsAConversation() {
    tiny_.setChatTemplate(
        QStringLiteral("{% for m in messages %}[{{ m.role }}] {{ m.content }}\\n{% endfor %}[answer]"));
    QVERIFY(begin());
    QTest::mouseClick(window_->prompt().findChild<QPushButton*>(QStringLiteral("chat")), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(bench().options().text.startsWith(QStringLiteral("[user]")), patience);
    write(3);
    // Read again, nothing says any more who wrote it; then a follow-up comes.
    RoleChanges changes;
    changes.window = 3;
    bench().changeRoles(changes);
    QTRY_VERIFY_WITH_TIMEOUT(bench().analysedChanges() == changes && bench().canFollowUp(), patience);
    field()->setPlainText(QStringLiteral("And why?"));
    sendAndWait(bench().sequence().size() + 1);
    const std::vector<TokenSpan> given = bench().client().followUps();
    QCOMPARE(given.size(), std::size_t{1});
    QVERIFY(given.front().first > bench().client().promptTokens());
    const QString text = bench().analysedText();
    const QString path = tiny_.filePath(QStringLiteral("conversation.safetensors"));
    window_->saveSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(path), patience);
    end();
    window_ = tiny_.make({}, path);
    window_->show();
    QTRY_VERIFY_WITH_TIMEOUT(bench().client().followUps() == given, patience);
    QCOMPARE(bench().analysedText(), text);
    QVERIFY(window_->prompt().isChatTurn(text));
    QTRY_VERIFY_WITH_TIMEOUT(chat()->isChecked(), patience);
  }

  void whatIsRefusedStaysInTheField() {
    QVERIFY(begin());
    const qint64 before = bench().sequence().size();
    field()->setPlainText(QStringLiteral("word ").repeated(300));
    QTest::keyClick(field(), Qt::Key_Return);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("prompt-too-long")));
    QVERIFY(!window_->errorBar().text().contains(QStringLiteral("Take the first")));
    QVERIFY(!field()->toPlainText().isEmpty());
    QCOMPARE(bench().sequence().size(), before);
    QTRY_VERIFY(bench().canFollowUp());
    field()->setPlainText(QStringLiteral("short"));
    sendAndWait(before + 1);
    QVERIFY(!window_->errorBar().isVisible());
  }

  /// It goes on behind what is shown, under the policy that is chosen by now, whatever stands in the prompt's field.
  void itGoesOnBehindWhatIsShown() {
    QVERIFY(begin());
    write(3);
    const std::vector<std::int32_t> shown = tokens();
    window_->prompt().setPrompt(QStringLiteral("Something else"));
    PromptOptions options = window_->prompt().options();
    options.policy = QStringLiteral("window:5");
    bench().setOptions(options);
    QVERIFY(!bench().isOfPrompt());
    field()->setPlainText(QStringLiteral(" and"));
    sendAndWait(bench().sequence().size() + 1);
    std::vector<std::int32_t> now = tokens();
    now.resize(shown.size());
    QVERIFY(now == shown);
    QVERIFY2(allText().contains(QStringLiteral(" and")), qPrintable(allText()));
    QCOMPARE(bench().client().policy(), std::string("window:5"));
  }

  /// What is typed while one is read is the next one; what was read comes back with Ctrl+Z.
  void whatIsTypedMeanwhileStays() {
    QVERIFY(begin());
    write(2);
    field()->setPlainText(QStringLiteral("one"));
    QSignalSpy finished(&bench().client(), &EngineClient::finished);
    QTest::keyClick(field(), Qt::Key_Return);
    field()->setPlainText(QStringLiteral("two"));
    QVERIFY(finished.wait(patience));
    QCOMPARE(field()->toPlainText(), QStringLiteral("two"));
    QTRY_VERIFY(bench().canFollowUp());
    sendAndWait(bench().sequence().size() + 1);
    QVERIFY(field()->toPlainText().isEmpty());
    field()->setFocus();
    QTest::keyClick(field(), Qt::Key_Z, Qt::ControlModifier);
    QCOMPARE(field()->toPlainText(), QStringLiteral("two"));
  }

  /// Whether it is a turn is a person's to say, until another text begins.
  void theBoxStaysAsItWasSet() {
    tiny_.setChatTemplate(QStringLiteral("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"));
    QVERIFY(begin());
    write(2);
    chat()->setChecked(true);
    PromptOptions options = window_->prompt().options();
    options.policy = QStringLiteral("window:5");
    bench().setOptions(options);
    bench().tryPolicy();
    QTRY_COMPARE_WITH_TIMEOUT(bench().client().policy(), std::string("window:5"), patience);
    QTRY_VERIFY_WITH_TIMEOUT(bench().canFollowUp(), patience);
    QVERIFY(chat()->isChecked());
    chat()->setChecked(false);
    QSignalSpy restored(&bench().client(), &EngineClient::sequenceRestored);
    ::kill(static_cast<pid_t>(bench().client().processId()), SIGKILL);
    QVERIFY(restored.wait(patience));
    QVERIFY(!chat()->isChecked());
    chat()->setChecked(true);
    window_->prompt().setPrompt(QStringLiteral("Something else"));
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canFollowUp() && bench().isOfPrompt(), patience);
    QVERIFY(!chat()->isChecked());
  }

  void aFileThatIsDroppedOnItIsOpened() {
    QVERIFY(begin());
    const QString path = tiny_.filePath(QStringLiteral("dropped.txt"));
    test::write_bytes(path.toStdString(), "Down the hole.");
    dropFile(field()->viewport(), path);
    QTRY_COMPARE_WITH_TIMEOUT(bench().analysedText(), QStringLiteral("Down the hole."), patience);
    QVERIFY(field()->toPlainText().isEmpty());
  }

  /// All of it goes into the command for the same figure: a prompt alone would not make it.
  void theCommandHasEveryToken() {
    QVERIFY(begin());
    write(2);
    field()->setPlainText(QStringLiteral(" and"));
    sendAndWait(bench().sequence().size() + 1);
    const ExportOrigin origin = exportOrigin(bench());
    QVERIFY(!origin.prompt);
    QCOMPARE(static_cast<qint64>(origin.tokens.size()), bench().sequence().size());
  }

  void nothingIsGivenBehindARecording() {
    QVERIFY(begin());
    QVERIFY(field()->isVisible());
    QVERIFY(!button()->isEnabled());  // there is nothing to give
    field()->setPlainText(QStringLiteral("a"));
    QVERIFY(button()->isEnabled());
    const QString path =
        recordPresentRun(bench(), {LayerId(0), HeadId(0)}, tiny_.filePath(QStringLiteral("t.safetensors")));
    QVERIFY(!path.isEmpty());
    window_->openPath(path);
    QTRY_VERIFY_WITH_TIMEOUT(bench().recording() != nullptr, patience);
    QVERIFY(!field()->isVisible());
    bench().showRunBefore();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canFollowUp(), patience);
    QVERIFY(field()->isVisible());
    QCOMPARE(field()->toPlainText(), QStringLiteral("a"));
    // And where no engine has it, that is said.
    bench().client().shutdown();
    QTRY_VERIFY(!button()->isEnabled());
    QTest::keyClick(field(), Qt::Key_Return);
    QCOMPARE(field()->toPlainText(), QStringLiteral("a"));
    QVERIFY2(window_->statusBar()->currentMessage().contains(QStringLiteral("No engine")),
             qPrintable(window_->statusBar()->currentMessage()));
  }

  /// In a low window the text has the room until somebody wants the field, which grows no further than it may.
  void aLowWindowHasItWhereItIsUsed() {
    QVERIFY(begin());
    window_->resize(1024, 560);
    QTRY_VERIFY(!field()->isVisible());
    QTest::keyClick(window_.get(), Qt::Key_F, Qt::ControlModifier | Qt::ShiftModifier);
    QTRY_VERIFY(field()->hasFocus());
    QVERIFY(field()->isVisible());
    const int line = field()->height();
    field()->setPlainText(QStringLiteral("a\nb\nc\nd\ne\nf\ng"));
    QTest::qWait(50);
    QCOMPARE(field()->height(), line);
    QCOMPARE(window_->size(), QSize(1024, 560));
    field()->clear();
    window_->text().text().setFocus();
    QTRY_VERIFY(!field()->isVisible());
    window_->resize(1300, 850);
    QTRY_VERIFY(field()->isVisible());
    field()->setPlainText(QStringLiteral("a\nb\nc"));
    QTRY_VERIFY(field()->height() > line);
  }

 private:
  /// So many tokens behind the prompt, or fewer where the model ends the text.
  void write(int tokens) {
    PromptOptions options = window_->prompt().options();
    options.maxNewTokens = tokens;
    window_->prompt().setOptions(options);
    QSignalSpy finished(&bench().client(), &EngineClient::finished);
    bench().generate();
    QVERIFY(finished.count() > 0 || finished.wait(patience));
    QTRY_VERIFY(bench().canFollowUp());
  }
  void sendAndWait(qint64 tokens) {
    QSignalSpy finished(&bench().client(), &EngineClient::finished);
    QTest::keyClick(field(), Qt::Key_Return);
    QVERIFY(finished.count() > 0 || finished.wait(patience));
    QVERIFY(bench().sequence().size() >= tokens);
    QTRY_VERIFY(bench().canFollowUp());
  }
  [[nodiscard]] std::vector<std::int32_t> tokens() {
    std::vector<std::int32_t> all;
    for (const TokenFrame& frame : bench().sequence().record().frames()) all.push_back(frame.token);
    return all;
  }
  [[nodiscard]] QString allText() { return window_->text().text().plainText(0, bench().sequence().size()); }
  [[nodiscard]] QPlainTextEdit* field() { return window_->findChild<QPlainTextEdit*>(QStringLiteral("followUp")); }
  [[nodiscard]] QCheckBox* chat() { return window_->findChild<QCheckBox*>(QStringLiteral("followUpChat")); }
  [[nodiscard]] QToolButton* button() {
    return window_->text().followUp().findChild<QToolButton*>(QStringLiteral("framed"));
  }
};

QTEST_MAIN(FollowUpWindowTest)
#include "follow_up_window_test.moc"
