// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/prompt_panel.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QLineEdit>
#include <QSignalSpy>
#include <QTest>

#include "core/cache/policy.h"

using namespace natscope::ui;

class PromptPanelTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    panel_ = std::make_unique<PromptPanel>();
    panel_->show();
    panel_->activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(panel_.get()));
  }

  /// Numbers begin with other numbers: what a field completes is then another policy than the one that was typed.
  void aPolicyIsWhatWasTyped() {
    QSignalSpy wanted(panel_.get(), &PromptPanel::policyChosen);
    for (const char* const typed : {"streaming:4,60", "streaming:4,6", "h2o:32,3", "window:6", "m0del"}) {
      wanted.clear();
      type(QLatin1String(typed));
      QTest::keyClick(line(), Qt::Key_Return);
      QCOMPARE(panel_->options().policy, QLatin1String(typed));
      QCOMPARE(wanted.count() > 0, panel_->policyProblem().isEmpty());
    }
    type(QStringLiteral("h2o:32,3"));
    QTest::keyClick(line(), Qt::Key_Tab);
    QCOMPARE(panel_->options().policy, QStringLiteral("h2o:32,3"));
  }

  void everyPolicySaysWhatItDoes() {
    const auto* const box = panel_->findChild<QComboBox*>();
    QVERIFY(box->count() >= 6);
    for (int i = 0; i < box->count(); ++i) {
      const QString written = box->itemText(i);
      QVERIFY2(natscope::parse_policy(written.toStdString()), qPrintable(written));
      const QString meaning = box->itemData(i, Qt::ToolTipRole).toString();
      QVERIFY2(!meaning.isEmpty(), qPrintable(written));
      QVERIFY(box->toolTip().contains(written.section(u':', 0, 0)) && box->toolTip().contains(meaning));
    }
  }

  void aPolicyThatIsNoneIsMarkedWhereItStands() {
    QSignalSpy wanted(panel_.get(), &PromptPanel::policyChosen);
    type(QStringLiteral("streaming:4"));
    QVERIFY(panel_->policyProblem().isEmpty());  // it may still become one
    QTest::keyClick(line(), Qt::Key_Return);
    QCOMPARE(wanted.count(), 0);
    QVERIFY(!panel_->policyProblem().isEmpty());
    QVERIFY(line()->hasFocus());
    QCOMPARE(panel_->options().policy, QStringLiteral("streaming:4"));
    QTest::keyClicks(line(), QStringLiteral(",6"));
    QVERIFY(panel_->policyProblem().isEmpty());
    QTest::keyClick(line(), Qt::Key_Return);
    QVERIFY(wanted.count() > 0);
    QCOMPARE(panel_->options().policy, QStringLiteral("streaming:4,6"));
    // What is wrong is said without the policy, whatever stands in that.
    type(QStringLiteral("window:3\": 4"));
    QTest::keyClick(line(), Qt::Key_Return);
    QCOMPARE(panel_->policyProblem(), QString::fromStdString(natscope::policy_problem("window:3\": 4")));
    QVERIFY(panel_->policyProblem().startsWith(QStringLiteral("\"3\": 4\" is")));
    // Left, not confirmed: marked as well.
    type(QStringLiteral("window"));
    QTest::keyClick(line(), Qt::Key_Tab);
    QVERIFY(!panel_->policyProblem().isEmpty());
  }

  /// The next letters are no keys of the window; Escape makes them so.
  void whoeverTypesAPolicyGoesOnTyping() {
    QSignalSpy wanted(panel_.get(), &PromptPanel::policyChosen);
    type(QStringLiteral("window:24"));
    QTest::keyClick(line(), Qt::Key_Return);
    QVERIFY(wanted.count() > 0);
    QVERIFY(line()->hasFocus());
    QTest::keyClicks(line(), QStringLiteral("streaming:2,20"));
    QCOMPARE(panel_->options().policy, QStringLiteral("streaming:2,20"));
    QTest::keyClick(line(), Qt::Key_Return);
    QTest::keyClick(line(), Qt::Key_Escape);
    QVERIFY(!line()->hasFocus());
    QVERIFY(panel_->takeKeyboardAgain());
    QVERIFY(line()->hasFocus());
  }

  /// What is wrong is said where room was kept for it, and the caret stays where one was typing.
  void aProblemMovesNothing() {
    panel_->resize(240, 600);
    const auto places = [this] {
      QList<QRect> rects;
      for (const QWidget* const field : panel_->findChildren<QWidget*>()) {
        if (field->isVisible()) rects << QRect(field->mapTo(panel_.get(), QPoint()), field->size());
      }
      return rects;
    };
    type(QStringLiteral("streaming:4,6"));
    const QList<QRect> before = places();
    line()->setCursorPosition(11);
    QTest::keyClick(line(), Qt::Key_Delete);
    QTest::keyClick(line(), Qt::Key_Return);
    QVERIFY(!panel_->policyProblem().isEmpty());
    QTest::qWait(30);
    QCOMPARE(places(), before);
    QVERIFY(line()->hasFocus());
    QCOMPARE(line()->cursorPosition(), 11);
    // In a low panel the words are brought into sight.
    panel_->resize(240, 220);
    QTest::keyClick(line(), Qt::Key_Return);
    auto* const words = panel_->findChild<QLabel*>(QStringLiteral("policyProblem"));
    QTRY_COMPARE(words->visibleRegion().boundingRect().size(), words->size());
  }

  void aLowPanelScrollsItsFields() {
    QVERIFY2(panel_->minimumSizeHint().height() <= 200,
             qPrintable(QString::number(panel_->minimumSizeHint().height())));
    QVERIFY(panel_->minimumSizeHint().width() <= 240);
    panel_->resize(240, 200);
    line()->setFocus(Qt::TabFocusReason);
    panel_->findChild<QLineEdit*>(QStringLiteral("stops"))->setFocus();
    QTest::keyClick(panel_->focusWidget(), Qt::Key_Tab);
    QVERIFY(line()->hasFocus());
    QTRY_VERIFY(!line()->visibleRegion().isEmpty());
  }

  /// A field makes plain line ends of CR LF: the tokens would be others than the command line's.
  void aPromptIsToTheLetterUntilItIsEdited() {
    const QString text = QString(QChar(QChar::ByteOrderMark)) + QStringLiteral("one\r\ntwo\u00a0three\r\n");
    QString told;
    connect(panel_.get(), &PromptPanel::changed, this, [&] { told = panel_->options().text; });
    panel_->setPrompt(text);
    QCOMPARE(told, text);
    auto* const edit = panel_->findChild<PromptEdit*>();
    edit->moveCursor(QTextCursor::End);
    QTest::keyClicks(edit, QStringLiteral("x"));
    QCOMPARE(panel_->options().text, QString(text).remove(u'\r') + u'x');
    edit->undo();
    QCOMPARE(panel_->options().text, text);
    panel_->disconnect(this);
  }

  /// Rounded, they would draw another text than the command line does.
  void numbersOfAModelStayAsTheyAre() {
    natscope::ModelDescription model;
    model.sampling.temperature = 0.667;
    model.sampling.top_p = 0.995;
    model.sampling.min_p = 0.0125;
    model.sampling.repetition_penalty = 1.176;
    panel_->setDefaults(model);
    const natscope::SamplingOptions sampling = panel_->options().sampling;
    QCOMPARE(sampling.temperature, 0.667);
    QCOMPARE(sampling.top_p, 0.995);
    QCOMPARE(sampling.min_p, 0.0125);
    QCOMPARE(sampling.repetition_penalty, 1.176);
    QStringList shown;
    for (const auto* const box : panel_->findChildren<QDoubleSpinBox*>()) shown << box->text();
    QCOMPARE(shown, (QStringList{QStringLiteral("0.667"), QStringLiteral("0.995"), QStringLiteral("0.0125"),
                                 QStringLiteral("1.176")}));
    model.sampling.temperature = 0.5;
    panel_->setDefaults(model);
    QCOMPARE(panel_->findChild<QDoubleSpinBox*>()->text(), QStringLiteral("0.50"));
  }

 private:
  [[nodiscard]] QLineEdit* line() const { return panel_->findChild<QComboBox*>()->lineEdit(); }
  void type(const QString& text) const {
    line()->setFocus();
    line()->selectAll();
    QTest::keyClicks(line(), text);
  }

  std::unique_ptr<PromptPanel> panel_;
};

QTEST_MAIN(PromptPanelTest)
#include "prompt_panel_test.moc"
