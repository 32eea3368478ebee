// SPDX-License-Identifier: GPL-3.0-or-later
// A text given behind what the model wrote, from the field under it, against the real engine and a small random model.
#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include "tests/ui/window_on_tiny_model.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr int patience = 30'000;

}  // namespace

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

  void nothingIsGivenBehindARecording() {
    QVERIFY(begin());
    QVERIFY(field()->isVisible());
    QVERIFY(!button()->isEnabled());  // there is nothing to give
    field()->setPlainText(QStringLiteral("a"));
    QVERIFY(button()->isEnabled());
    bench().stop();
    window_->workbench().client().shutdown();
    QTRY_VERIFY(!button()->isEnabled());
    QTest::keyClick(field(), Qt::Key_Return);
    QCOMPARE(field()->toPlainText(), QStringLiteral("a"));
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
