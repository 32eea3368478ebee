// SPDX-License-Identifier: GPL-3.0-or-later
// A prompt as a turn of a conversation, against the real engine and a small random model with a chat template.
#include <QApplication>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"

using namespace natscope;
using namespace natscope::ui;

class ChatWindowTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void cleanup() { end(); }

  void aModelWithoutATemplateOffersNone() {
    tiny_.setChatTemplate({});
    QVERIFY(begin());
    QVERIFY(!button()->isVisible());
    QTest::keyClick(editor(), Qt::Key_Return, Qt::ControlModifier | Qt::ShiftModifier);
    QTest::qWait(100);
    QCOMPARE(editor()->toPlainText(), QLatin1String(WindowOnTinyModel::alice));
  }

  void theMarksStandInThePromptAndGoAgain() {
    tiny_.setChatTemplate(
        QStringLiteral("{% for m in messages %}[{{ m.role }}] {{ m.content }}\\n{% endfor %}[answer]"));
    QVERIFY(begin());
    QVERIFY(button()->isVisible());
    QTest::mouseClick(button(), Qt::LeftButton);
    const QString turn = QStringLiteral("[user] %1\n[answer]").arg(QLatin1String(WindowOnTinyModel::alice));
    QTRY_COMPARE_WITH_TIMEOUT(editor()->toPlainText(), turn, patience);
    QCOMPARE(window_->prompt().options().text, turn);
    QVERIFY(!window_->errorBar().isVisible());

    const qint64 before = bench().sequence().size();
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && bench().sequence().size() > before, patience);
    QVERIFY(bench().isOfPrompt());

    QVERIFY(!button()->isEnabled());  // it is one already
    QVERIFY(editor()->hasFocus());
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Z, Qt::ControlModifier);
    QCOMPARE(editor()->toPlainText(), QLatin1String(WindowOnTinyModel::alice));
  }

  void theKeyDoesTheSameToTheLetter() {
    tiny_.setChatTemplate(QStringLiteral("<{{ messages[0].content }}>"));
    QVERIFY(begin());
    window_->prompt().setPrompt(QStringLiteral("one\r\ntwo\u00a0three"));
    QTest::keyClick(editor(), Qt::Key_Return, Qt::ControlModifier | Qt::ShiftModifier);
    QTRY_COMPARE_WITH_TIMEOUT(window_->prompt().options().text, QStringLiteral("<one\r\ntwo\u00a0three>"), patience);
    QTest::keyClick(editor(), Qt::Key_Z, Qt::ControlModifier);
    QCOMPARE(window_->prompt().options().text, QStringLiteral("one\r\ntwo\u00a0three"));
    QVERIFY(button()->isEnabled());
  }

  /// What was typed since the turn was asked for is newer than its answer.
  void anEditedPromptStays() {
    tiny_.setChatTemplate(QStringLiteral("<{{ messages[0].content }}>"));
    QVERIFY(begin());
    QSignalSpy arrived(&bench().client(), &EngineClient::chatPromptArrived);
    bench().client().requestChatPrompt(QStringLiteral("another text"));
    QVERIFY(arrived.count() > 0 || arrived.wait(patience));
    QCOMPARE(arrived.front().at(1).toString(), QStringLiteral("<another text>"));
    QCOMPARE(editor()->toPlainText(), QLatin1String(WindowOnTinyModel::alice));
  }

  void aTemplateThatFailsIsACalmBar() {
    tiny_.setChatTemplate(QStringLiteral("{% include 'x' %}"));
    QVERIFY(begin());
    QTest::mouseClick(button(), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(window_->errorBar().isVisible(), patience);
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("unsupported-tokenizer")));
    QVERIFY(window_->errorBar().text().contains(QStringLiteral("line 1")));
    QCOMPARE(editor()->toPlainText(), QLatin1String(WindowOnTinyModel::alice));
  }

 private:
  [[nodiscard]] QPlainTextEdit* editor() { return window_->prompt().findChild<QPlainTextEdit*>(); }
  [[nodiscard]] QPushButton* button() { return window_->prompt().findChild<QPushButton*>(QStringLiteral("chat")); }
};

QTEST_MAIN(ChatWindowTest)
#include "chat_window_test.moc"
