// SPDX-License-Identifier: GPL-3.0-or-later
// How docks and window keep their sizes: through bars that come and go, through other sizes of the window, until the
// next run.
#include <QApplication>
#include <QDialog>
#include <QDockWidget>
#include <QLabel>
#include <QMenu>
#include <QScreen>
#include <QSignalSpy>
#include <QTabBar>
#include <QTest>
#include <QToolBar>

#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr QSize usual{1400, 900};

}  // namespace

class WindowLayoutTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    tiny_.forget();
    open();
    window_->resize(usual);
  }

  void cleanup() {
    window_->close();
    window_.reset();
  }

  void aBarLeavesNoTraceInTheDocks() {
    const QList<QRect> before = places();
    for (int i = 0; i < 4; ++i) {
      window_->errorBar().showError(Error{ErrorCode::file_not_found, "there is no such file", "look elsewhere"});
      settle();
      QVERIFY(places() != before);
      QCOMPARE(dock("cache")->width(), before[5].width());
      QTest::keyClick(window_.get(), Qt::Key_Escape);
      QVERIFY(!window_->errorBar().isVisible());
      settle();
      QCOMPARE(places(), before);
    }
    // Others, which raise what a panel needs at least.
    window_->resize(1000, 680);
    settle();
    const QList<QRect> small = places();
    window_->beginSearch();
    window_->comparison().keep();
    settle();
    window_->comparison().drop();
    QTest::keyClick(window_->findChild<QWidget*>(QStringLiteral("search")), Qt::Key_Escape);
    settle();
    QCOMPARE(window_->size(), QSize(1000, 680));
    QCOMPARE(places(), small);
    window_->resize(usual);
    settle();
    QCOMPARE(places(), before);
  }

  void moreRoomGoesToTextAndMap() {
    const QList<QRect> before = places();
    window_->resize(2560, 1440);
    settle();
    const auto gained = [&](int which) { return sizes()[which] - before[which].size(); };
    QCOMPARE(gained(prompt).width(), 0);
    QVERIFY(gained(text).width() > 450 && gained(attention).width() > 550);
    QCOMPARE(gained(text).width() + gained(attention).width(), 2560 - usual.width());
    QVERIFY(gained(cache).height() < 60);
    QVERIFY(gained(token).height() < 80);
    QVERIFY(gained(attention).height() > 400);
    QVERIFY(gained(text).height() > 200 && gained(roles).height() > 200);
    QCOMPARE(gained(prompt).height() + gained(cache).height(), 1440 - usual.height());
    window_->resize(1024, 700);
    settle();
    QCOMPARE(gained(prompt).width(), 0);
    window_->resize(usual);
    settle();
    QCOMPARE(places(), before);
  }

  void arrangedAsAtFirstInTheSameWindow() {
    const QList<QRect> first = places();
    window_->comparison().keep();
    dock("token")->hide();
    dock("prompt")->setFloating(true);
    window_->showJobs();
    window_->addDockWidget(Qt::LeftDockWidgetArea, dock("roles"));
    settle();
    window_->comparison().drop();
    arrangeAction()->trigger();
    settle();
    QCOMPARE(window_->size(), usual);
    QCOMPARE(places(), first);
    arrangeAction()->trigger();
    settle();
    QCOMPARE(window_->size(), usual);
    QCOMPARE(places(), first);
  }

  void aDraggedSeparatorStays() {
    drag(QPoint(dock("prompt")->geometry().right() + 3, 300), QPoint(60, 0));
    drag(QPoint(900, dock("prompt")->geometry().bottom() + 3), QPoint(0, -90));
    const QList<QRect> dragged = places();
    QCOMPARE(dragged[prompt].width(), 300);
    QVERIFY(dragged[cache].height() > 230);
    window_->errorBar().showError(make_error(ErrorCode::io_failure, "it was not written"));
    settle();
    QVERIFY(dock("cache")->height() > dragged[cache].height() - 14);
    window_->errorBar().hide();
    window_->resize(2000, 1300);
    settle();
    QCOMPARE(dock("prompt")->width(), 300);
    window_->resize(usual);
    settle();
    QCOMPARE(places(), dragged);
  }

  void anotherTabTakesTheSamePlace() {
    const QRect before = dock("cache")->geometry();
    dock("log")->raise();
    settle();
    QCOMPARE(dock("log")->geometry(), before);
    window_->errorBar().showError(make_error(ErrorCode::io_failure, "it was not written"));
    settle();
    window_->errorBar().hide();
    dock("cache")->raise();
    settle();
    QCOMPARE(dock("cache")->geometry(), before);
    const QRect map = dock("attention")->geometry();
    window_->showOverview();
    settle();
    QCOMPARE(dock("overview")->geometry(), map);
    QVERIFY(!window_->overview().visibleRegion().isEmpty());
    window_->resize(1700, 1000);
    settle();
    window_->resize(usual);
    settle();
    QCOMPARE(dock("overview")->geometry(), map);
  }

  void roomForRowsIsLent() {
    window_->resize(1280, 720);
    settle();
    const QList<QRect> before = places();
    const auto showCacheAgain = [this] {
      dock("cache")->raise();
      settle();
    };
    window_->showHeads();
    settle();
    const int lent = dock("heads")->height();
    QVERIFY(lent > before[cache].height() + 50 && dock("token")->height() < before[token].height());
    window_->showJobs();
    settle();
    QCOMPARE(dock("jobs")->height(), lent);
    showCacheAgain();
    QCOMPARE(places(), before);
    // A bar that comes and goes meanwhile changes nothing of that, nor does the end of the program.
    window_->showRuns();
    window_->errorBar().showError(make_error(ErrorCode::io_failure, "it was not written"));
    settle();
    window_->errorBar().hide();
    settle();
    showCacheAgain();
    QCOMPARE(places(), before);
    window_->showHeads();
    settle();
    again();
    window_->resize(1280, 720);
    showCacheAgain();
    QCOMPARE(places(), before);
    // Who moves the edge meanwhile means it.
    window_->showHeads();
    settle();
    drag(QPoint(900, dock("prompt")->geometry().bottom() + 3), QPoint(0, 30));
    const QList<QRect> dragged = places();
    QVERIFY(dragged[cache].height() != lent);
    showCacheAgain();
    QCOMPARE(places(), dragged);
  }

  void theNextRunBeginsAsTheLastOneEnded() {
    drag(QPoint(dock("prompt")->geometry().right() + 3, 300), QPoint(60, 0));
    dock("log")->raise();
    settle();
    const QList<QRect> before = places();
    const QSize size = window_->size();
    again();
    if (window_->size() == size) QCOMPARE(places(), before);  // the screen may be too small for it
    window_->resize(size);
    settle();
    QVERIFY(dock("log")->isVisible());
    QCOMPARE(places(), before);
  }

  void whatWasLeftOnALargerScreenFitsThisOne() {
    const QSize screen = QGuiApplication::primaryScreen()->availableSize();
    window_->resize(3000, 1800);
    settle();
    drag(QPoint(dock("prompt")->geometry().right() + 3, 300), QPoint(40, 0));
    const int wide = dock("prompt")->width();
    again();
    QVERIFY2(window_->width() <= std::max(screen.width(), window_->minimumSizeHint().width()), "wider than the screen");
    QVERIFY(window_->height() <= screen.height());
    window_->resize(usual);
    settle();
    QCOMPARE(dock("prompt")->width(), wide);
    QVERIFY(dock("cache")->height() < usual.height() / 3);
  }

  void aTornOffDockDoesNotBuryTheWindow() {
    const QRect screen = QGuiApplication::primaryScreen()->availableGeometry();
    window_->setGeometry(QRect(screen.topLeft(), screen.size().boundedTo({1280, 720})));
    dock("attention")->setFloating(true);
    dock("attention")->setGeometry(screen);
    dock("token")->setFloating(true);
    dock("token")->setGeometry(QRect(screen.center(), QSize(300, 200)));
    settle();
    const QRect small = dock("token")->geometry();
    again();
    QVERIFY(dock("attention")->isFloating() && dock("token")->isFloating());
    const QRect covered = dock("attention")->geometry();
    QVERIFY2(covered.width() <= 0.6 * screen.width() + 1 && covered.height() <= 0.6 * screen.height() + 1,
             qPrintable(inWords(covered.size())));
    QVERIFY(screen.contains(covered));
    QCOMPARE(dock("token")->size(), small.size());
  }

  void tabsOfDocksHaveNoLine() {
    window_->addDockWidget(Qt::RightDockWidgetArea, dock("roles"));
    window_->tabifyDockWidget(dock("roles"), dock("token"));
    settle();
    int bars = 0;
    for (const QTabBar* const bar : window_->findChildren<QTabBar*>(Qt::FindDirectChildrenOnly)) {
      if (!bar->isVisible()) continue;
      ++bars;
      QVERIFY(!bar->drawBase());
    }
    QVERIFY(bars >= 2);
  }

  void fitsASmallScreen() {
    window_->showJobs();
    settle();
    window_->comparison().keep();
    window_->beginSearch();
    settle();
    // 1024 x 600, without what a desktop puts round a window.
    const QSize least = window_->minimumSizeHint();
    QVERIFY2(least.width() <= 1008 && least.height() <= 560,
             qPrintable(QStringLiteral("%1 x %2").arg(least.width()).arg(least.height())));
    window_->resize(1024, 560);
    settle();
    QCOMPARE(window_->size(), QSize(1024, 560));
    QVERIFY(window_->rect().contains(dock("jobs")->geometry()));
    // What the cache holds is said in a narrow window, too, and how fast the text was read in a wide one.
    const auto* const bar = window_->findChild<QToolBar*>(QStringLiteral("runBar"));
    const auto numbers = [bar] {
      QString all;
      for (const QLabel* const label : bar->findChildren<QLabel*>()) all += label->text();
      return all;
    };
    QVERIFY(numbers().contains(QStringLiteral("KV")) && !numbers().contains(QStringLiteral("prefill")));
    window_->resize(usual);
    settle();
    QVERIFY(numbers().contains(QStringLiteral("prefill")));
    // Sheets of the Help menu.
    for (QAction* const action : window_->findChildren<QAction*>()) {
      if (action->shortcut() == QKeySequence(QStringLiteral("?")) || action->shortcut() == QKeySequence(Qt::Key_F1))
        action->trigger();
    }
    int sheets = 0;
    for (QDialog* const sheet : window_->findChildren<QDialog*>()) {
      ++sheets;
      QVERIFY2(sheet->minimumSizeHint().height() <= 300, qPrintable(sheet->windowTitle()));
      sheet->close();
    }
    QCOMPARE(sheets, 2);
  }

  /// A screen may have no more than the window has: what comes into a panel takes its room there.
  void nothingThatIsShownEnlargesTheWindow() {
    window_->resize(1, 1);
    settle();
    const QSize least = window_->size();
    QVERIFY2(least.width() <= 1008 && least.height() <= 560, qPrintable(inWords(least)));
    const auto whatGrew = [&](const char* after) {
      settle();
      const QSize now = window_->minimumSizeHint();
      const bool isLow = window_->size() == least && now.width() <= least.width() && now.height() <= least.height();
      return isLow ? QByteArray()
                   : after + QByteArray(": ") + inWords(window_->size()).toUtf8() + ", " + inWords(now).toUtf8() +
                         " needed, not " + inWords(least).toUtf8();
    };
    window_->comparison().keep();
    QByteArray wrong = whatGrew("a run is kept");
    QVERIFY2(wrong.isEmpty(), wrong.constData());
    window_->runBaselines();
    QTRY_VERIFY_WITH_TIMEOUT(!window_->baselines().isRunning(), patience);
    wrong = whatGrew("runs");
    QVERIFY2(wrong.isEmpty(), wrong.constData());
    window_->showVocabulary();
    wrong = whatGrew("vocabulary");
    QVERIFY2(wrong.isEmpty(), wrong.constData());
    window_->showHeads();
    window_->beginSearch();
    wrong = whatGrew("search");
    QVERIFY2(wrong.isEmpty(), wrong.constData());
    window_->errorBar().showError(make_error(ErrorCode::io_failure, "it was not written"));
    settle();
    QCOMPARE(window_->size(), least);
  }

 private:
  static QString inWords(const QSize& size) { return QStringLiteral("%1 x %2").arg(size.width()).arg(size.height()); }
  enum { prompt, text, roles, attention, token, cache };

  void open() {
    window_ = tiny_.make(QLatin1String(WindowOnTinyModel::alice));
    QSignalSpy picture(window_.get(), &MainWindow::firstPicture);
    window_->show();
    window_->activateWindow();
    QVERIFY(picture.count() > 0 || picture.wait(patience));
    QTRY_VERIFY_WITH_TIMEOUT(window_->workbench().canAnalyse(), patience);
  }

  void again() {
    window_->close();
    window_.reset();
    open();
  }

  /// Waits until the docks have been where they are for a while: what shows or hides asks for a layout of its own,
  /// later.
  void settle() {
    constexpr int restsNeeded = 5;
    QList<QRect> last;
    for (int rests = 0, looks = 0; rests < restsNeeded && looks < 100; ++looks) {
      QTest::qWait(20);
      const QList<QRect> now = places();
      rests = now == last ? rests + 1 : 0;
      last = now;
      if (looks == 99) qWarning("the docks never rested");
    }
  }

  QDockWidget* dock(const char* name) { return window_->findChild<QDockWidget*>(QLatin1String(name)); }

  /// Of the upper row, and of whichever dock is in front in the lower one.
  QList<QRect> places() {
    QList<QRect> rects;
    for (const char* const name : {"prompt", "text", "roles", "attention", "token"})
      rects.append(dock(name)->geometry());
    for (const char* const name : {"cache", "heads", "jobs", "log"}) {
      const QRect rect = dock(name)->geometry();
      if (window_->rect().intersects(rect)) rects.append(rect);
    }
    return rects;
  }

  QList<QSize> sizes() {
    QList<QSize> all;
    for (const QRect& rect : places()) all.append(rect.size());
    return all;
  }

  QAction* arrangeAction() {
    for (QAction* const action : window_->findChildren<QAction*>())
      if (action->text() == QStringLiteral("Reset the la&yout")) return action;
    return nullptr;
  }

  void drag(QPoint from, QPoint by) {
    QTest::mousePress(window_.get(), Qt::LeftButton, {}, from);
    QTest::mouseMove(window_.get(), from + by / 2);
    QTest::mouseMove(window_.get(), from + by);
    settle();
    QTest::mouseRelease(window_.get(), Qt::LeftButton, {}, from + by);
    settle();
  }

  WindowOnTinyModel tiny_;
  std::unique_ptr<MainWindow> window_;
};

QTEST_MAIN(WindowLayoutTest)
#include "window_layout_test.moc"
