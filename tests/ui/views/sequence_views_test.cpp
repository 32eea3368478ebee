// SPDX-License-Identifier: GPL-3.0-or-later
// The views of a record: what is under the cursor, what a click selects, what a record of another shape does to them.
#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QLabel>
#include <QMenu>
#include <QMouseEvent>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <cmath>
#include <limits>

#include "tests/ui/views/made_up_record.h"
#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/cache_chart_view.h"
#include "ui/views/charts/head_bars_view.h"
#include "ui/views/charts/plot_library.h"
#include "ui/views/charts/role_mix_view.h"
#include "ui/views/fitting_words.h"
#include "ui/views/maps/role_map_view.h"
#include "ui/views/named_token.h"
#include "ui/views/token_text_view.h"

using namespace natscope;
using namespace natscope::ui;

class SequenceViewsTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    ThemeSwitch::instance().apply(*qApp, Theme::light);
    record_ = madeUpRecord(3, 2, 40);
    QCOMPARE(record_.size(), 40);
    sequence_ = std::make_unique<SequenceModel>();
    sequence_->setSource([this]() -> const SequenceRecord& { return record_; });
    selection_ = std::make_unique<Selection>();
    selection_->setLimits(3, 4, 2, 40);
  }

  void roleMapFindsTheCellUnderTheCursor() {
    RoleMapView view(*sequence_, *selection_);
    view.resize(600, 260);
    (void)view.grab();
    for (int row = 0; row < 6; ++row) {
      for (const std::int64_t token : {0, 1, 17, 39}) {
        const auto cell = view.cellAt(view.rectOf({row, token}).center());
        QVERIFY(cell);
        QCOMPARE(cell->row, row);
        QCOMPARE(cell->token, token);
      }
    }
    QVERIFY(!view.cellAt({1, 1}));
    QSignalSpy heads(selection_.get(), &Selection::headChanged);
    QTest::mouseClick(&view, Qt::LeftButton, Qt::NoModifier, view.rectOf({5, 17}).center().toPoint());
    QCOMPARE(heads.count(), 1);  // with no other head between
    QCOMPARE(selection_->layer().value, 2);
    QCOMPARE(selection_->kvHead().value, 1);
    QCOMPARE(selection_->token()->value, 17);
  }

  void roleMapShowsRolesAndFadesWhatWasDropped() {
    RoleMapView view(*sequence_, *selection_);
    view.resize(700, 260);
    const QImage picture = view.grab().toImage();
    for (const std::int64_t token : {3, 4, 5, 38, 39}) {
      const Role role = record_.roles(LayerId(2), KvHeadId(0))[static_cast<std::size_t>(token)];
      const bool isHeld = sequence_->isHeld(LayerId(2), KvHeadId(0), TokenPos(static_cast<std::int32_t>(token)));
      // A corner of the cell: its middle carries the letter.
      const QPoint at = view.rectOf({4, token}).topLeft().toPoint() + QPoint(2, 3);
      QCOMPARE(picture.pixel(at), roleFill(role, Theme::light, !isHeld).rgb());
    }
  }

  void tokensAreAddedByKeys() {
    TokenTextView view(*sequence_, *selection_);
    view.resize(400, 300);
    const auto press = [&view](Qt::Key key) { QTest::keyClick(&view, key, Qt::ShiftModifier); };
    const auto pinned = [this] {
      QList<int> positions;
      for (const TokenPos position : selection_->pinned()) positions.append(position.value);
      return positions;
    };
    selection_->pin(TokenPos(5));
    press(Qt::Key_Right);
    press(Qt::Key_Right);
    QCOMPARE(pinned(), (QList<int>{5, 6, 7}));
    press(Qt::Key_Left);
    QCOMPARE(pinned(), (QList<int>{5, 6}));
    press(Qt::Key_Left);
    press(Qt::Key_Left);
    QCOMPARE(pinned(), (QList<int>{5, 4}));
    QTest::keyClick(&view, Qt::Key_Right);
    QCOMPARE(pinned(), (QList<int>{5}));
  }

  void theTextCanBeTakenAway() {
    TokenTextView view(*sequence_, *selection_);
    view.resize(400, 300);
    view.setPromptTokens(38);
    QTest::keyClick(&view, Qt::Key_C, Qt::ControlModifier);
    const auto copied = [] { return QGuiApplication::clipboard()->text(); };
    QVERIFY(copied().startsWith(QStringLiteral(" t0 t1 t2")) && copied().endsWith(QStringLiteral(" t38 t39")));
    // Between two pinned tokens, in whichever order they were.
    selection_->pin(TokenPos(7));
    QCOMPARE(view.copiedText(), view.plainText(0, 40));
    selection_->pin(TokenPos(5), true);
    QTest::keyClick(&view, Qt::Key_C, Qt::ControlModifier);
    QCOMPARE(copied(), QStringLiteral(" t5 t6 t7"));
    QSignalSpy wanted(&view, &TokenTextView::promptWanted);
    QMenu menu;
    view.fillMenu(menu);
    QCOMPARE(menu.actions().size(), 3);
    menu.actions()[1]->trigger();
    QCOMPARE(copied(), QStringLiteral(" t38 t39"));
    menu.actions()[2]->trigger();
    QCOMPARE(wanted.count(), 1);
    QCOMPARE(wanted[0][0].toString(), view.plainText(0, 40));
    // Nothing was written: the prompt is the whole text.
    view.setPromptTokens(40);
    QMenu ofPrompt;
    view.fillMenu(ofPrompt);
    QVERIFY(ofPrompt.actions()[0]->isEnabled() && !ofPrompt.actions()[1]->isEnabled());
    QVERIFY(!ofPrompt.actions()[2]->isEnabled());
  }

  void theChartStandsOnTheTokensThatEverythingElseStandsOn() {
    CacheChartView chart(*sequence_, *selection_);
    chart.resize(700, 300);
    (void)chart.grab();
    auto* const plot = chart.findChild<QCustomPlot*>();
    QVERIFY(plot);
    for (const int token : {0, 5, 39}) {
      const QPoint at(static_cast<int>(std::lround(plot->xAxis->coordToPixel(token))), plot->height() / 2);
      QTest::mouseClick(plot, Qt::LeftButton, Qt::NoModifier, at);
      QCOMPARE(selection_->token()->value, token);
      QVERIFY(chart.numbers().contains(QStringLiteral("token %1:").arg(token)));
    }
    for (const double tick : plot->xAxis->tickVector()) QCOMPARE(tick, std::floor(tick));
  }

  void theChartPointsAtNothingOnceTheMouseHasLeftIt() {
    CacheChartView chart(*sequence_, *selection_);
    chart.resize(700, 300);
    (void)chart.grab();
    auto* const plot = chart.findChild<QCustomPlot*>();
    QVERIFY(plot);
    const QPointF at(plot->xAxis->coordToPixel(5), plot->height() / 2.0);
    QMouseEvent move(QEvent::MouseMove, at, plot->mapToGlobal(at), Qt::NoButton, Qt::NoButton, Qt::NoModifier);
    QApplication::sendEvent(plot, &move);
    QVERIFY(selection_->token());
    QCOMPARE(selection_->token()->value, 5);
    QEvent leave(QEvent::Leave);
    QApplication::sendEvent(plot, &leave);
    QVERIFY(!selection_->token());
  }

  void heldIsWhatTheRulesHold() {
    // Window 2: after token 39 a sliding token is held when a query at 40 could see it.
    for (int head = 0; head < 2; ++head) {
      const auto roles = record_.roles(LayerId(1), KvHeadId(head));
      const auto next = record_.next_global(LayerId(1), KvHeadId(head));
      for (std::int32_t token = 0; token < 40; ++token) {
        const auto index = static_cast<std::size_t>(token);
        QCOMPARE(sequence_->isHeld(LayerId(1), KvHeadId(head), TokenPos(token)),
                 held_after(roles[index], TokenPos(token), TokenPos(39), next[index], 2));
      }
    }
  }

  void chartAndMixGrowWithTheRecord() {
    CacheChartView chart(*sequence_, *selection_);
    RoleMixView mix(*sequence_, *selection_);
    QCOMPARE(chart.points(), 40);
    record_ = madeUpRecord(3, 2, 55);
    sequence_->refresh(false);
    QCOMPARE(chart.points(), 55);
    const auto counts = mix.allHeads();
    QCOMPARE(counts[0] + counts[1] + counts[2], std::int64_t{55 * 6});
    record_ = madeUpRecord(1, 1, 7);
    sequence_->refresh(true);
    QCOMPARE(chart.points(), 7);
    QCOMPARE(mix.allHeads()[0] + mix.allHeads()[1] + mix.allHeads()[2], std::int64_t{7});
  }

  void aTokenChosenElsewhereIsBroughtIntoSight() {
    record_ = madeUpRecord(3, 2, 2000);
    sequence_->refresh(true);
    selection_->setLimits(3, 4, 2, 2000);
    TokenTextView text(*sequence_, *selection_);
    text.resize(300, 200);
    (void)text.grab();
    QCOMPARE(text.verticalScrollBar()->value(), 0);
    selection_->hover(TokenPos(1500));
    QCOMPARE(text.verticalScrollBar()->value(), 0);  // pointing moves nothing
    selection_->pin(TokenPos(1500));
    const int there = text.verticalScrollBar()->value();
    QVERIFY(there > 0);
    selection_->hover(TokenPos(3));
    selection_->hover(std::nullopt);
    QCOMPARE(text.verticalScrollBar()->value(), there);
    text.verticalScrollBar()->setValue(0);  // who scrolls away stays there
    selection_->setLayer(LayerId(1));
    QCOMPARE(text.verticalScrollBar()->value(), 0);
    selection_->clear();
    selection_->pin(TokenPos(1500));
    QCOMPARE(text.verticalScrollBar()->value(), there);
  }

  void theChartCountsInSharesAndWithoutTheDenseLine() {
    CacheChartView chart(*sequence_, *selection_);
    chart.resize(600, 200);
    const auto frame = record_.frames().back().counts;
    QCOMPARE(chart.top(), 1.06 * static_cast<double>(frame.dense_bytes) / 1048576);
    QVERIFY(chart.numbers().contains(QStringLiteral("dense")) && chart.numbers().contains(QStringLiteral("MiB")));
    chart.setAxis(CacheAxis::share);
    QCOMPARE(chart.top(), 106.0);
    QVERIFY(chart.numbers().contains(QStringLiteral("live <b>50.0</b>")));
    QVERIFY(chart.numbers().contains(QStringLiteral("% of dense")));
    QCOMPARE(chart.points(), 40);
    chart.setDense(false);
    QCOMPARE(chart.top(), 53.0);  // 50 % are live at every step
    QVERIFY(!chart.numbers().contains(QStringLiteral("dense <b>")));
    chart.setAxis(CacheAxis::amount);
    QCOMPARE(chart.top(), 1.06 * static_cast<double>(frame.live_bytes) / 1048576);
    record_ = madeUpRecord(3, 2, 80);
    sequence_->refresh(false);
    QCOMPARE(chart.points(), 80);
    QCOMPARE(chart.top(), 1.06 * 40000 / 1048576);
  }

  /// And leaves room for the share of heads that hold a token.
  void theLegendOfH2oStaysInItsMap() {
    sequence_->setPolicy([] { return std::string("h2o:4,8"); });
    const QColor ground = ThemeSwitch::instance().colours().panel;
    for (const int width : {420, 464, 700}) {
      RoleMapView view(*sequence_, *selection_);
      view.resize(width, 228);
      const QImage picture = view.grab().toImage();
      for (int x = width - 70; x < width; ++x) {
        for (int y = picture.height() - 20; y < picture.height(); ++y) QCOMPARE(picture.pixelColor(x, y), ground);
      }
    }
  }

  /// Half of each bar is filled, and the number lies over where that ends.
  void aNumberIsReadOnItsBarAndBesideIt() {
    HeadBarsView bars(*sequence_, *selection_);
    for (const Theme theme : {Theme::light, Theme::dark}) {
      ThemeSwitch::instance().apply(*qApp, theme);
      for (const int width : {110, 130, 400}) {
        bars.resize(width, 120);
        const QImage picture = bars.grab().toImage();
        const QRect cell = bars.rectOf({1, 1}).toRect().adjusted(1, 1, -1, -1);
        const int end = cell.left() + cell.width() / 2;
        const QColor ink = ThemeSwitch::instance().colours().text;
        for (int x = cell.left(); x <= cell.right(); ++x) {
          for (int y = cell.top(); y <= cell.bottom(); ++y) {
            if (x < end - 1) QVERIFY(picture.pixelColor(x, y) != ink);
            if (x > end + 1) QVERIFY(picture.pixelColor(x, y) != ThemeSwitch::instance().colours().onAccent);
          }
        }
      }
    }
  }

  void theLongestWordsThatFitAreSaid() {
    const QFontMetricsF metrics{QFont()};
    const QStringList choices{QStringLiteral("held by 88 % of heads"), QStringLiteral("held by 88 %"),
                              QStringLiteral("88 % held")};
    for (const QString& words : choices)
      QCOMPARE(longestFitting(choices, metrics, metrics.horizontalAdvance(words) + 0.5), words);
    const QString cut = longestFitting(choices, metrics, metrics.horizontalAdvance(choices.last()) / 2);
    QVERIFY(cut.startsWith(QStringLiteral("88")) && cut.endsWith(QStringLiteral("…")));
  }

  void theLineOfNumbersFitsBesideTheButtons() {
    CacheChartView chart(*sequence_, *selection_);
    auto kept = std::make_shared<KeptRun>();
    kept->record = record_;
    chart.setKept(kept);
    chart.setCorner(new QPushButton(QStringLiteral("keep this run")));
    chart.show();
    QVERIFY(QTest::qWaitForWindowExposed(&chart));
    auto* const line = chart.findChild<QLabel*>(QStringLiteral("cacheNumbers"));
    QVERIFY(line != nullptr);
    for (const int width : {1400, 1000, 860, 760, 700, 660}) {
      chart.resize(width, 200);
      QTest::qWait(1);
      QVERIFY2(richWidth(chart.numbers(), line->font()) <= line->width(), qPrintable(QString::number(width)));
      QVERIFY(chart.numbers().contains(QStringLiteral("live")) && chart.numbers().contains(QStringLiteral("kept")));
      // What was left out is said when one asks.
      const bool isAll = chart.numbers().count(QStringLiteral(" %)")) == 2;
      QCOMPARE(isAll, width >= 1000);
      if (!isAll) QVERIFY(line->toolTip().count(QStringLiteral(" %)")) == 2);
    }
    chart.resize(1400, 200);
    QTest::qWait(1);
    QVERIFY(chart.numbers().contains(QStringLiteral("after token")));
  }

  /// A recording of an earlier version does not say what an entry costs.
  void aKeptRunWithoutBytesIsNotSaidToTakeNone() {
    CacheChartView chart(*sequence_, *selection_);
    auto kept = std::make_shared<KeptRun>();
    const SequenceRecord made = madeUpRecord(3, 2, 40);
    kept->record = SequenceRecord(CacheGeometry{.layers = 3, .kv_heads = 2, .head_dim = 0}, false, 2);
    for (TokenFrame frame : made.frames()) {
      frame.counts.live_bytes = frame.counts.dense_bytes = frame.counts.allocated_bytes = 0;
      QVERIFY(kept->record.append(std::move(frame)));
    }
    chart.setKept(kept);
    QCOMPARE(chart.keptPoints(), 0);
    QVERIFY2(chart.numbers().contains(QStringLiteral("kept <b>50.0 %</b>")), qPrintable(chart.numbers()));
    chart.setAxis(CacheAxis::share);
    QVERIFY2(chart.numbers().contains(QStringLiteral("kept <b>50.0</b>")), qPrintable(chart.numbers()));
  }

  void aChartOfNothingHasNoAxes() {
    record_ = SequenceRecord();
    sequence_->refresh(true);
    CacheChartView chart(*sequence_, *selection_);
    auto* const plot = chart.findChild<QWidget*>(QStringLiteral("cachePlot"));
    QVERIFY(plot != nullptr && plot->isHidden());
    record_ = madeUpRecord(3, 2, 40);
    sequence_->refresh(true);
    QVERIFY(!plot->isHidden());
  }

  /// What the pages of a prompt took is known at its end: at an earlier step there is no such number.
  void everyNumberOverTheChartIsOfOneMoment() {
    CacheChartView chart(*sequence_, *selection_);
    QVERIFY(chart.numbers().contains(QStringLiteral("allocated")));
    selection_->hover(TokenPos(20));
    QVERIFY(chart.numbers().contains(QStringLiteral("after token 20")));
    QVERIFY(!chart.numbers().contains(QStringLiteral("allocated")));
  }

  void aRightClickAsksOfTheDifferenceToo() {
    RoleMapView view(*sequence_, *selection_);
    view.resize(600, 260);
    auto kept = std::make_shared<KeptRun>();
    kept->record = madeUpRecord(3, 2, 30);
    view.setKept(kept);
    for (const RoleMapShows shows : {RoleMapShows::now, RoleMapShows::kept, RoleMapShows::difference}) {
      view.setShows(shows);
      (void)view.grab();
      QSignalSpy asked(&view, &RoleMapView::menuWanted);
      const QPoint at = view.rectOf({5, 17}).center().toPoint();
      QContextMenuEvent click(QContextMenuEvent::Mouse, at, view.mapToGlobal(at));
      QApplication::sendEvent(&view, &click);
      QCOMPARE(asked.count(), 1);
      QCOMPARE(asked[0][0].value<LayerId>().value, 2);
      QCOMPARE(asked[0][2].value<TokenPos>().value, 17);
    }
  }

  /// Between two models the selection may name what the record does not have: nothing may be read beyond it.
  void anotherShapeIsHarmless() {
    RoleMapView roles(*sequence_, *selection_);
    TokenTextView text(*sequence_, *selection_);
    HeadBarsView bars(*sequence_, *selection_);
    RoleMixView mix(*sequence_, *selection_);
    CacheChartView chart(*sequence_, *selection_);
    selection_->setLayer(LayerId(2));
    selection_->setHead(HeadId(3));
    selection_->pin(TokenPos(39));
    for (const std::int32_t tokens : {0, 1, 5}) {
      record_ = tokens == 0 ? SequenceRecord() : madeUpRecord(1, 1, tokens);
      for (QWidget* const view :
           {static_cast<QWidget*>(&roles), static_cast<QWidget*>(&text), static_cast<QWidget*>(&bars),
            static_cast<QWidget*>(&mix), static_cast<QWidget*>(&chart)}) {
        view->resize(400, 200);
        QVERIFY(!view->grab().isNull());
      }
    }
  }

  /// Left is on through the text where that is read from the right, and a short line has a nearest token.
  void keysFollowTheDirectionOfTheText() {
    record_ = SequenceRecord(CacheGeometry{.layers = 1, .kv_heads = 1, .head_dim = 8}, false, 2);
    const char* const texts[] = {"שלום", " עולם", " יום", "\n", "One", " two", " three", " four", " five", "\n", "c"};
    for (int position = 0; position < 11; ++position) {
      TokenFrame frame;
      frame.position = TokenPos(position);
      frame.text = texts[position];
      frame.roles = {Role::global};
      frame.entries = {position + 1};
      QVERIFY(record_.append(std::move(frame)));
    }
    sequence_->refresh(true);
    selection_->setLimits(1, 1, 1, 11);
    TokenTextView view(*sequence_, *selection_);
    view.resize(500, 300);
    selection_->pin(TokenPos(0));
    const auto press = [&](Qt::Key key) {
      QTest::keyClick(&view, key);
      return selection_->token()->value;
    };
    QCOMPARE(press(Qt::Key_Left), 1);
    QCOMPARE(press(Qt::Key_Left), 2);
    QCOMPARE(press(Qt::Key_Right), 1);
    selection_->pin(TokenPos(4));
    QCOMPARE(press(Qt::Key_Right), 5);
    QCOMPARE(press(Qt::Key_Left), 4);
    selection_->pin(TokenPos(8));
    QCOMPARE(press(Qt::Key_Down), 10);
    // A click finds what is drawn: the first token stands at the right end.
    QTest::mouseClick(view.viewport(), Qt::LeftButton, {}, {view.viewport()->width() - 14, 20});
    QCOMPARE(selection_->token()->value, 0);
  }

  void positionsAndCountsHaveTheirThousandsApart() {
    record_ = madeUpRecord(1, 1, 1300);
    sequence_->refresh(true);
    selection_->setLimits(1, 1, 1, 1300);
    QCOMPARE(namedToken(*sequence_, TokenPos(1234)), QStringLiteral("“·t1234” · 1,234"));
    CacheChartView chart(*sequence_, *selection_);
    QVERIFY2(chart.numbers().contains(QStringLiteral("token 1,299:")), qPrintable(chart.numbers()));
    QCOMPARE(groupedNumber(0), QStringLiteral("0"));
    QCOMPARE(groupedNumber(999), QStringLiteral("999"));
    QCOMPARE(groupedNumber(-1000), QStringLiteral("-1,000"));
    QCOMPARE(groupedNumber(std::numeric_limits<std::int64_t>::min()), QStringLiteral("-9,223,372,036,854,775,808"));
  }

  void textClickPinsTheToken() {
    TokenTextView view(*sequence_, *selection_);
    view.resize(500, 300);
    (void)view.grab();
    QTest::mouseClick(view.viewport(), Qt::LeftButton, Qt::NoModifier, QPoint(14, 20));
    QCOMPARE(selection_->token()->value, 0);
    view.setColouring(TextColouring::heldShare);
    QVERIFY(!view.grab().isNull());
  }

 private:
  SequenceRecord record_;
  std::unique_ptr<SequenceModel> sequence_;
  std::unique_ptr<Selection> selection_;
};

QTEST_MAIN(SequenceViewsTest)
#include "sequence_views_test.moc"
