// SPDX-License-Identifier: GPL-3.0-or-later
// The whole window from the keyboard: where Tab goes, and that it goes round.
#include <QAbstractButton>
#include <QAbstractSpinBox>
#include <QAccessible>
#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QComboBox>
#include <QDockWidget>
#include <QLineEdit>
#include <QMenu>
#include <QMenuBar>
#include <QSet>
#include <QStyleHints>
#include <QTabBar>
#include <QTableView>
#include <QTest>
#include <algorithm>
#include <functional>

#include "tests/ui/models/made_up_jobs.h"
#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/panels/run_bar.h"
#include "ui/theme/focus_ring.h"
#include "ui/theme/key_guard.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr int mostStops = 200;

QString described(const QWidget* widget) {
  if (widget == nullptr) return QStringLiteral("nothing");
  const QRect place(widget->mapTo(widget->window(), QPoint()), widget->size());
  QString words = QStringLiteral("%1 at %2, %3, %4 x %5")
                      .arg(QLatin1String(widget->metaObject()->className()))
                      .arg(place.x())
                      .arg(place.y())
                      .arg(place.width())
                      .arg(place.height());
  if (const auto* const button = qobject_cast<const QAbstractButton*>(widget))
    words += QStringLiteral(" “%1%2”").arg(button->text(), button->toolTip().left(20));
  if (const auto* const box = qobject_cast<const QComboBox*>(widget)) words += u' ' + box->currentText();
  for (const QWidget* up = widget; up != nullptr; up = up->parentWidget()) {
    if (const auto* const dock = qobject_cast<const QDockWidget*>(up))
      words += QStringLiteral(" in ") + dock->objectName();
  }
  return words;
}

/// A point of it is on top: nothing lies over all of it, and it is not out of the window.
bool isOnTop(const QWidget& widget, QWidget& window) {
  constexpr int steps = 5;
  for (int i = 0; i < steps * steps; ++i) {
    const QPoint at(widget.width() * (2 * (i % steps) + 1) / (2 * steps),
                    widget.height() * (2 * (i / steps) + 1) / (2 * steps));
    const QWidget* const there = window.childAt(widget.mapTo(&window, at));
    if (there == &widget || widget.isAncestorOf(there)) return true;
  }
  return false;
}

}  // namespace

class KeyboardTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() {
    qputenv("NATSCOPE_JOBS", tiny_.filePath(QStringLiteral("jobs")).toUtf8());
    KeyGuard::install(*qApp);  // as the program does
  }
  void init() { QVERIFY(begin()); }
  void cleanup() { end(); }

  void tabGoesRoundTheWindow_data() {
    QTest::addColumn<QString>("front");
    for (const char* const front : {"cache", "heads", "jobs", "log", "overview"})
      QTest::newRow(front) << QString::fromLatin1(front);
  }
  void tabGoesRoundTheWindow() {
    QFETCH(const QString, front);
    dock(front)->raise();
    QTRY_VERIFY(!dock(front)->widget()->visibleRegion().isEmpty());
    walkBothWays();
  }

  /// What draws itself has no words that a screen reader could find, and a box says only what was chosen in it.
  void viewsAndFieldsSayWhatTheyAre() {
    QList<QWidget*> stops{&window_->attention().map(), &window_->overview().grid(), &window_->roles().map(),
                          &window_->text().text()};
    stops << window_->findChild<RunBar*>()->findChild<QComboBox*>(QStringLiteral("device"));
    for (auto* const field : window_->attention().findChildren<QAbstractSpinBox*>()) stops << field;
    for (auto* const box : window_->attention().findChildren<QComboBox*>()) stops << box;
    QCOMPARE(stops.size(), 5 + 3 + 3);
    QSet<QString> names;
    for (QWidget* const stop : stops) {
      QAccessibleInterface* const said = QAccessible::queryAccessibleInterface(stop);
      QVERIFY2(said != nullptr, qPrintable(described(stop)));
      const QString name = said->text(QAccessible::Name);
      QVERIFY2(!name.isEmpty(), qPrintable(described(stop)));
      names.insert(name);
    }
    QVERIFY2(names.size() == stops.size(), qPrintable(QStringList(names.values()).join(u'|')));
  }

  void withoutJobsTheFirstStopMakesOne() {
    QCOMPARE(window_->jobDesk().list().rowCount(), 0);
    QTest::keyClick(window_.get(), Qt::Key_J, Qt::ControlModifier | Qt::AltModifier);
    QTRY_VERIFY(!window_->jobs().visibleRegion().isEmpty());
    const QString stop = described(QApplication::focusWidget());
    QVERIFY2(stop.contains(QStringLiteral("“New job …")), qPrintable(stop));
  }

  void aJobInTheListIsNoTrap() {
    test::write_job(std::filesystem::path(tiny_.filePath(QStringLiteral("jobs")).toStdString()) / "one", "finished",
                    20);
    QTRY_COMPARE_WITH_TIMEOUT(window_->jobDesk().list().rowCount(), 1, patience);
    walkBothWays();
    auto* const table = window_->jobs().findChild<QTableView*>();
    window_->showJobs();
    QTRY_VERIFY(!window_->jobs().visibleRegion().isEmpty());
    QVERIFY(table->hasFocus());
    walkBothWays();
    QVERIFY2(stops_.contains(table), "Tab does not reach the list of jobs");
    // Space there is the list's own key.
    table->setFocus();
    QTest::keyClick(table, Qt::Key_Space);
    QTest::keyClick(table, Qt::Key_Tab);
    QVERIFY(QApplication::focusWidget() != table);
    // What is asked is answered from the keyboard.
    for (const Qt::Key key : {Qt::Key_Space, Qt::Key_Escape}) {
      bench().selection().pin(TokenPos(2));
      window_->jobs().deleteAction()->trigger();
      auto* const no = window_->jobs().findChild<QAbstractButton*>(QStringLiteral("keepJob"));
      QVERIFY(no->isVisible() && no->hasFocus());
      QTest::keyClick(no, key);
      QVERIFY(!no->isVisible() && table->hasFocus());
      QVERIFY(bench().selection().isPinned(TokenPos(2)));
    }
    QCOMPARE(window_->jobDesk().list().rowCount(), 1);
  }

  void aButtonThatBeganARunHasTheKeyboardAfterIt() {
    QAbstractButton* const step = button(QStringLiteral("Step"));
    QAbstractButton* const stop = button(QStringLiteral("Stop"));
    step->setFocus(Qt::TabFocusReason);
    for (const int more : {1, 2, 3}) {
      const qint64 before = bench().sequence().size();
      QTest::keyClick(QApplication::focusWidget(), Qt::Key_Space);
      QTRY_COMPARE_WITH_TIMEOUT(bench().sequence().size(), before + 1, patience);
      QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue() && step->hasFocus(), patience);
      QVERIFY2(window_->prompt().options().text == QLatin1String(WindowOnTinyModel::alice),
               qPrintable(QStringLiteral("step %1 typed into the prompt").arg(more)));
    }
    // A long run is ended by the same key.
    button(QStringLiteral("Continue"))->setFocus(Qt::TabFocusReason);
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Space);
    QTRY_VERIFY_WITH_TIMEOUT(stop->hasFocus(), patience);
    QTest::keyClick(stop, Qt::Key_Space);
    QTRY_VERIFY_WITH_TIMEOUT(button(QStringLiteral("Continue"))->hasFocus(), patience);
  }

  void whoGoesElsewhereDuringARunStaysThere() {
    button(QStringLiteral("Generate"))->setFocus(Qt::TabFocusReason);
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Space);
    QTRY_VERIFY_WITH_TIMEOUT(button(QStringLiteral("Stop"))->hasFocus(), patience);
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
    QWidget* const there = QApplication::focusWidget();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canContinue(), patience);
    QTest::qWait(50);
    QCOMPARE(QApplication::focusWidget(), there);
  }

  void docksComeToTheFrontWithArrows() {
    QTabBar* lower = nullptr;
    for (auto* const tabs : window_->findChildren<QTabBar*>(Qt::FindDirectChildrenOnly))
      if (tabs->isVisible() && tabs->tabText(0) == QStringLiteral("KV cache")) lower = tabs;
    QVERIFY(lower != nullptr);
    walkBothWays();
    QVERIFY(stops_.contains(lower));
    lower->setFocus(Qt::TabFocusReason);
    QTest::keyClick(lower, Qt::Key_Right);
    QTRY_VERIFY(window_->runs().isVisible() && !window_->cache().isVisible());
    QVERIFY(lower->hasFocus());
    QTest::keyClick(lower, Qt::Key_Left);
    QTRY_VERIFY(window_->cache().isVisible() && !window_->runs().isVisible());
  }

  void tabGoesFromLeftToRight() {
    window_->showVocabulary();
    const auto places = [this](const QWidget& panel) {
      QList<int> lefts;
      walkBothWays();
      for (QWidget* const stop : std::as_const(inOrder_)) {
        const bool isInBar = panel.isAncestorOf(stop) && stop->mapTo(&panel, QPoint()).y() < 20;
        if (isInBar) lefts.append(stop->mapTo(&panel, QPoint()).x());
      }
      return lefts;
    };
    for (const QWidget* const panel : std::initializer_list<QWidget*>{&window_->vocabulary(), &window_->heads()}) {
      if (panel == &window_->heads()) window_->showHeads();
      QTRY_VERIFY(!panel->visibleRegion().isEmpty());
      const QList<int> lefts = places(*panel);
      QVERIFY(lefts.size() >= 3 && std::is_sorted(lefts.begin(), lefts.end()));
    }
  }

  void aTornOffDockGetsTheKeyboard() {
    for (const char* const name : {"text", "heads", "overview"}) {
      dock(QLatin1String(name))->setFloating(true);
      QTRY_VERIFY(dock(QLatin1String(name))->isVisible());
    }
    const std::pair<const char*, std::function<void()>> ways[] = {
        {"text", [this] { window_->beginSearch(); }},
        {"text", [this] { window_->beginFollowUp(); }},
        {"heads", [this] { window_->showHeads(); }},
        {"overview", [this] { window_->showOverview(); }},
    };
    for (const auto& [name, way] : ways) {
      window_->activateWindow();
      window_->findChild<PromptEdit*>()->setFocus();
      QTRY_COMPARE(QApplication::activeWindow(), window_.get());
      way();
      QTRY_COMPARE(QApplication::activeWindow(), dock(QLatin1String(name)));
      QTRY_VERIFY(dock(QLatin1String(name))->isAncestorOf(QApplication::focusWidget()));
    }
    // And back, from one of them.
    window_->showVocabulary();
    QTRY_COMPARE(QApplication::activeWindow(), window_.get());
    QTRY_VERIFY(window_->vocabulary().isAncestorOf(QApplication::focusWidget()));
    QTRY_VERIFY(window_->vocabulary().table().findChild<FocusRing*>()->isVisible());
  }

  void keysInAListOfChoicesAreItsOwn() {
    QComboBox* colourMaps = nullptr;
    QComboBox* values = nullptr;
    for (QComboBox* const box : window_->attention().findChildren<QComboBox*>()) {
      if (box->findText(QStringLiteral("magma")) >= 0) colourMaps = box;
      if (box->findText(QStringLiteral("mean")) >= 0) values = box;
    }
    QVERIFY(colourMaps != nullptr && values != nullptr);
    colourMaps->setFocus(Qt::TabFocusReason);
    QTest::keyClick(colourMaps, Qt::Key_M);
    QCOMPARE(colourMaps->currentText(), QStringLiteral("magma"));
    QCOMPARE(values->currentText(), QStringLiteral("largest"));
    QTest::keyClick(colourMaps, Qt::Key_A);  // of the same word
    QTest::keyClick(colourMaps, Qt::Key_H);
    const auto* const hidesSink = window_->attention().findChild<QCheckBox*>();
    QCOMPARE(hidesSink->text(), QStringLiteral("hide sink"));
    QVERIFY(!hidesSink->isChecked());
    // What begins no entry is the window's.
    QTest::qWait(QGuiApplication::styleHints()->keyboardInputInterval() + 50);
    QTest::keyClick(colourMaps, Qt::Key_H);
    QVERIFY(hidesSink->isChecked());

    bench().selection().pin(TokenPos(3));
    colourMaps->showPopup();
    QTRY_VERIFY(QApplication::activePopupWidget() != nullptr);
    QTest::keyClick(QApplication::activePopupWidget()->focusWidget(), Qt::Key_Escape);
    QTRY_VERIFY(QApplication::activePopupWidget() == nullptr);
    QVERIFY(bench().selection().isPinned(TokenPos(3)));
    QTest::keyClick(colourMaps, Qt::Key_Escape);
    QVERIFY(bench().selection().pinned().empty());
  }

  void aLetterChoosesOneEntryOfAMenu() {
    QList<QAction*> menus = window_->findChild<QMenuBar*>()->actions();
    for (QAction* const entry : window_->findChildren<QAction*>())
      if (entry->text() == QStringLiteral("&Docks")) menus.append(entry);
    const QAction* const docks = menus.last();
    QCOMPARE(docks->text(), QStringLiteral("&Docks"));
    QCOMPARE(docks->menu()->actions().front()->text(), QStringLiteral("&Prompt"));
    for (const QAction* const menu : menus) {
      QSet<QString> letters;
      for (const QAction* const entry : menu->menu()->actions()) {
        const qsizetype at = entry->text().indexOf(u'&');
        if (at < 0) continue;
        const QString letter = entry->text().mid(at + 1, 1).toLower();
        QVERIFY2(!letters.contains(letter), qPrintable(menu->text() + QStringLiteral(": ") + entry->text()));
        letters.insert(letter);
      }
      QVERIFY(!letters.isEmpty());
      for (const QAction* const entry : menu->menu()->actions())
        QVERIFY2(menu != docks || entry->isSeparator() || entry->text().contains(u'&'), qPrintable(entry->text()));
    }
  }

  void whatTakesRoomBehindAnotherDockKeepsIt() {
    QTest::qWait(500);
    const QSize before = dock(QStringLiteral("cache"))->size();
    const QSize least = window_->minimumSizeHint();
    for (const char* const front : {"heads", "jobs", "log", "cache"}) {
      dock(QLatin1String(front))->raise();
      QTRY_VERIFY(dock(QLatin1String(front))->widget()->isVisible());
      QTest::qWait(50);
      QCOMPARE(dock(QLatin1String(front))->size(), before);
      QCOMPARE(window_->minimumSizeHint(), least);
    }
  }

 private:
  [[nodiscard]] QAbstractButton* button(const QString& words) const {
    for (auto* const each : window_->findChild<RunBar*>()->findChildren<QAbstractButton*>())
      if (each->text() == words) return each;
    return nullptr;
  }
  [[nodiscard]] QDockWidget* dock(const QString& name) const { return window_->findChild<QDockWidget*>(name); }

  /// One round with Tab and one with Shift+Tab: the same stops the other way, each to be seen and to be used.
  void walkBothWays() {
    window_->activateWindow();
    window_->findChild<PromptEdit*>()->setFocus();
    const QList<QWidget*> forth = round(Qt::Key_Tab);
    QVERIFY(forth.size() > 15);
    QList<QWidget*> back = round(Qt::Key_Backtab);
    std::reverse(back.begin(), back.end());
    QCOMPARE(back.size(), forth.size());
    inOrder_ = forth;
    stops_ = QSet<QWidget*>(forth.begin(), forth.end());
    QCOMPARE(QSet<QWidget*>(back.begin(), back.end()), stops_);
  }

  QList<QWidget*> round(Qt::Key key) {
    QList<QWidget*> stops;
    QWidget* const first = QApplication::focusWidget();
    for (int i = 0; i < mostStops; ++i) {
      QTest::keyClick(QApplication::focusWidget(), key, key == Qt::Key_Backtab ? Qt::ShiftModifier : Qt::NoModifier);
      QWidget* const now = QApplication::focusWidget();
      if (qEnvironmentVariableIsSet("NATSCOPE_SHOW_STOPS")) qInfo("%s", qPrintable(described(now)));
      const char* const wrong = now == nullptr             ? "lost"
                                : stops.contains(now)      ? "a ring without the beginning"
                                : !now->isVisible()        ? "not visible"
                                : !now->isEnabled()        ? "not enabled"
                                : !isOnTop(*now, *window_) ? "covered"
                                                           : nullptr;
      if (wrong != nullptr) {
        const QString words =
            QStringLiteral("%1: after %2: %3")
                .arg(QLatin1String(wrong), described(stops.isEmpty() ? first : stops.back()), described(now));
        QTest::qFail(qPrintable(words), __FILE__, __LINE__);
        return {};
      }
      stops.append(now);
      if (now == first) return stops;
    }
    QTest::qFail("it does not come round", __FILE__, __LINE__);
    return {};
  }

  QList<QWidget*> inOrder_;
  QSet<QWidget*> stops_;
};

QTEST_MAIN(KeyboardTest)
#include "keyboard_test.moc"
