// SPDX-License-Identifier: GPL-3.0-or-later
// The views of a long text in many heads: what a frame does must not grow with either, and nothing may be lost where
// tokens and heads are thinner than pixels. Counted, not timed.
#include <QApplication>
#include <QTest>
#include <set>

#include "tests/ui/views/made_up_record.h"
#include "ui/figure/token_flow.h"
#include "ui/models/grouped_number.h"
#include "ui/models/run_facts.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/cache_chart_view.h"
#include "ui/views/charts/head_bars_view.h"
#include "ui/views/maps/mean_picture.h"
#include "ui/views/maps/role_map_view.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

constexpr std::int32_t layers = 32;
constexpr std::int32_t kvHeads = 8;
constexpr std::int32_t length = 6000;

}  // namespace

class LongTextTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    ThemeSwitch::instance().apply(*qApp, Theme::light);
    record_ = madeUpRecord(layers, kvHeads, length);
    QCOMPARE(record_.size(), length);
    sequence_ = std::make_unique<SequenceModel>();
    sequence_->setSource([this]() -> const SequenceRecord& { return record_; });
    selection_ = std::make_unique<Selection>();
    selection_->setLimits(layers, kvHeads, kvHeads, length);
  }

  void aPixelReadsAFewTokensHoweverManyLieInIt() {
    for (const std::int64_t tokens : {40, 600, 601, 5000, 131072, 1 << 20}) {
      ColumnTransform columns;
      columns.setArea(10, 600);
      columns.setTokens(tokens);
      const int width = tokens < 600 ? 300 : 600;
      const auto pixels = pixelTokens(columns, 10, width, tokens);
      QCOMPARE(pixels.size(), static_cast<std::size_t>(width));
      std::int32_t before = -1;
      std::set<std::int32_t> read;
      for (const PixelTokens& pixel : pixels) {
        QVERIFY(pixel.count >= 1 && pixel.count <= PixelTokens::most);
        for (int i = 0; i < pixel.count; ++i) {
          const std::int32_t token = pixel.tokens[static_cast<std::size_t>(i)];
          QVERIFY(token >= before && token < tokens);
          before = token;
          read.insert(token);
        }
      }
      // While a pixel's tokens can all be read, none is left out.
      if (tokens >= 600 && tokens <= 600 * PixelTokens::most / 2)
        QCOMPARE(read.size(), static_cast<std::size_t>(tokens));
    }
  }

  void aPixelHasTheMeanOfItsTokensAndARowOfItsHeads() {
    std::vector<PixelTokens> pixels(2);
    pixels[0].count = 4;
    pixels[0].tokens = {0, 1, 2, 3};
    pixels[1].count = 1;
    pixels[1].tokens = {3};
    int asked = 0;
    const std::array<QRgb, 2> colours{qRgb(0, 0, 0), qRgb(200, 100, 40)};
    const QImage image = meanPicture(6, pixels, colours, [&](int row) {
      return [&asked, row](std::size_t token) {
        ++asked;
        return row == 5 || token == 3 ? std::size_t{1} : std::size_t{0};
      };
    });
    QCOMPARE(asked, 6 * 5);
    QCOMPARE(image.pixel(0, 0), qRgb(50, 25, 10));
    QCOMPARE(image.pixel(1, 0), colours[1]);
    QCOMPARE(image.pixel(0, 5), colours[1]);
    const QImage low = fittedToHeight(image, 3);
    QCOMPARE(low.height(), 3);
    const int last = qRed(low.pixel(0, 2));
    QVERIFY2(last > 60 && last < 190, qPrintable(QString::number(last)));  // of a dark row and a bright one
    QCOMPARE(fittedToHeight(image, 6).height(), 6);
    QCOMPARE(fittedToHeight(image, 600.4).height(), 6);
  }

  void noHeadIsLostInALowRoleMap() {
    // One head alone is all Global, and stays so: its row is thinner than a pixel.
    SequenceRecord record(record_.geometry(), false, 2);
    for (const TokenFrame& frame : record_.frames().first(300)) {
      TokenFrame other = frame;
      std::ranges::fill(other.roles, Role::sliding);
      other.roles[101] = Role::global;
      QVERIFY(record.append(std::move(other)).has_value());
    }
    record_ = record;
    sequence_->refresh(true);
    RoleMapView view(*sequence_, *selection_);
    for (const int height : {150, 163, 177, 190, 201}) {
      view.resize(500, height);
      const QImage picture = view.grab().toImage();
      const QRectF row = view.rectOf({101, 150});
      QVERIFY(row.height() < 1);
      int reddest = -255;
      for (int y = static_cast<int>(row.top()) - 1; y <= static_cast<int>(row.bottom()) + 1; ++y) {
        const QRgb pixel = picture.pixel(static_cast<int>(row.center().x()), y);
        reddest = std::max(reddest, qRed(pixel) - qBlue(pixel));
      }
      const QRgb elsewhere = picture.pixel(static_cast<int>(row.center().x()), static_cast<int>(row.top()) - 12);
      QVERIFY(reddest > qRed(elsewhere) - qBlue(elsewhere) + 30);
    }
  }

  void pointingMakesNoNewPictureOfRolesNorCurves() {
    RoleMapView map(*sequence_, *selection_);
    CacheChartView chart(*sequence_, *selection_);
    for (QWidget* const view : {static_cast<QWidget*>(&map), static_cast<QWidget*>(&chart)}) {
      view->resize(900, 280);  // room for the longest line over the chart
      view->show();
    }
    QVERIFY(QTest::qWaitForWindowExposed(&chart));
    QTRY_VERIFY(chart.curvesDrawn() > 0 && map.picturesMade() > 0);
    const QImage before = chart.grab().toImage();
    selection_->hover(TokenPos(1));  // the first one makes the picture that the line has for itself
    QTest::qWait(50);
    const std::int64_t curves = chart.curvesDrawn();
    const std::int64_t pictures = map.picturesMade();
    for (int i = 1; i < 20; ++i) {
      selection_->hover(TokenPos(300 * i));
      selection_->setLayer(LayerId(i));
      QTest::qWait(2);
      (void)map.grab();
    }
    QCOMPARE(map.picturesMade(), pictures);
    QCOMPARE(chart.curvesDrawn(), curves);
    QVERIFY(chart.grab().toImage() != before);  // the line that moved is to be seen

    map.resize(540, 280);
    (void)map.grab();
    QCOMPARE(map.picturesMade(), pictures + 1);
    ThemeSwitch::instance().apply(*qApp, Theme::dark);
    (void)map.grab();
    QCOMPARE(map.picturesMade(), pictures + 2);
    record_ = madeUpRecord(layers, kvHeads, length + 10);
    sequence_->refresh(false);
    (void)map.grab();
    QCOMPARE(map.picturesMade(), pictures + 3);
  }

  void aTextThatComesAgainIsNotMeasuredAgain() {
    const QFont font = QApplication::font();
    TokenFlow flow{QFontMetricsF(font)};
    flow.setWidth(300);
    for (int i = 0; i < 2000; ++i) flow.append(QStringLiteral(" w%1").arg(i % 37));
    QCOMPARE(flow.measuredTexts(), std::size_t{37});
    QCOMPARE(flow.rectOf(36).width(), QFontMetricsF(font).horizontalAdvance(QStringLiteral(" w36")));
    QCOMPARE(flow.rectOf(36 + 37).width(), flow.rectOf(36).width());
  }

  void whatAPromptAllocatedIsOnePointHoweverManyPiecesItCameIn() {
    record_ = madeUpRecord(2, 2, 40);
    sequence_->refresh(true);
    CacheChartView chart(*sequence_, *selection_);
    for (const std::int32_t tokens : {90, 200, 201}) {
      record_ = madeUpRecord(2, 2, tokens);
      sequence_->refresh(false);
      QCOMPARE(chart.points(), tokens);
      QCOMPARE(chart.allocatedPoints(), 1);
    }
  }

  void whatNobodyKnowsTheCostOfIsCountedInEntries() {
    SequenceRecord record(CacheGeometry{.layers = 32, .kv_heads = 8, .head_dim = 0}, false, 2);
    TokenFrame frame = record_.frame(TokenPos(0));
    frame.counts = {.tokens = 1, .entries = 254, .fraction = 254.0 / 256};
    QVERIFY(record.append(frame).has_value());
    QCOMPARE(cacheFact(record).value, QStringLiteral("99.2 %  254 of 256 entries"));
    QVERIFY(cacheFact(record_).value.contains(QStringLiteral(" of ")));
    QVERIFY(!cacheFact(record_).value.contains(QStringLiteral("entries")));
    QCOMPARE(groupedNumber(8388608), QStringLiteral("8,388,608"));
  }

 private:
  SequenceRecord record_;
  std::unique_ptr<SequenceModel> sequence_;
  std::unique_ptr<Selection> selection_;
};

QTEST_MAIN(LongTextTest)
#include "long_text_test.moc"
