// SPDX-License-Identifier: GPL-3.0-or-later
#include <QImageReader>
#include <QTest>

#include "tests/ui/figure/some_figures.h"
#include "ui/figure/axis_ticks.h"
#include "ui/figure/map_raster.h"
#include "ui/figure/prepare_figures.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

class ColourBarTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void theColourBarSaysWhereItIsCut() {
    FigureOptions options;
    options.scale.kind = ScaleKind::log;
    QVERIFY(!renderFigure(attention(9, 12, false), FigureFormat::svg, options)->contains("≥ "));
    QVERIFY(renderFigure(attention(9, 12, false), FigureFormat::svg, options)->contains("≤ "));
    options.scale.clip_percentile = 80;
    QVERIFY(renderFigure(attention(9, 12, false), FigureFormat::svg, options)->contains("≥ "));
    options.scale.kind = ScaleKind::linear;
    QVERIFY(!renderFigure(attention(9, 12, false), FigureFormat::svg, options)->contains("≤ "));
  }

  void aFixedRangeIsDrawnAndSaid() {
    FigureOptions options;
    options.scale.range = FixedRange{0.125, 2};
    const MapRaster raster = rasterOf(std::get<Heatmap>(attention(9, 12, false).values), {12, 9}, options);
    QCOMPARE(raster.range.low, 0.125);
    QCOMPARE(raster.range.high, 2.0);
    const auto png = renderFigure(attention(9, 12, false), FigureFormat::png, options);
    QVERIFY(png);
    QCOMPARE(QImage::fromData(*png).text(QStringLiteral("range")), QStringLiteral("0.125:2"));
    const auto svg = renderFigure(overview(2, 2, 30), FigureFormat::svg, options);
    QVERIFY(svg->contains("≤ 0.125"));
    QVERIFY(svg->contains("≥ 2"));
  }

  /// Round values between the ends, none in another one's way.
  void theColourBarsMarksAreRound() {
    const auto said = [](const ScaleRange& range, double length) {
      QStringList texts;
      double before = -1;
      for (const BarTick& tick : barTicks(range, {.kind = range.kind}, length, 9)) {
        if ((tick.level - before) * length < 9 - 1e-9) return QStringList{QStringLiteral("too close")};
        before = tick.level;
        texts << tick.text;
      }
      return texts;
    };
    const auto list = [](const char* words) { return QString::fromUtf8(words).split(u' '); };
    const auto log = [&](double low, double high, double length) { return said({low, high, ScaleKind::log}, length); };
    QCOMPARE(log(9.3e-5, 0.37, 160).first(), QStringLiteral("≤ 9.3e-5"));
    QCOMPARE(log(9.3e-5, 0.37, 160).mid(1, 4), list("0.0002 0.0005 0.001 0.002"));
    QCOMPARE(log(9.3e-5, 0.37, 80).mid(1, 3), list("0.001 0.01 0.1"));
    QCOMPARE(log(9.3e-5, 0.37, 160).last(), QStringLiteral("0.37"));
    QCOMPARE(log(0.0093, 0.95, 160).mid(1), list("0.02 0.05 0.1 0.2 0.5 0.95"));
    QCOMPARE(log(1e-6, 1, 112).mid(1), list("1e-5 0.0001 0.001 0.01 0.1 1"));
    QCOMPARE(log(1e-6, 1, 30).mid(1), list("0.0001 0.01 1"));
    QCOMPARE(log(0.02, 0.04, 160).mid(1, 2), list("0.0225 0.025"));
    QCOMPARE(said({0, 0.83, ScaleKind::linear}, 160), list("0 0.2 0.4 0.6 0.83"));
    QCOMPARE(said({0, 1, ScaleKind::linear}, 40), list("0 0.5 1"));
    QCOMPARE(said({0, 1, ScaleKind::linear}, 10), list("0 1"));
    QCOMPARE(said({0, 99.6, ScaleKind::linear}, 40), list("0 50 99.6"));
    QCOMPARE(said({0, 1234, ScaleKind::linear}, 80), list("0 500 1000 1234"));
    // Every mark within a log scale is 1, 2 or 5 times a power of ten.
    for (const double low : {1e-6, 3e-5, 0.004}) {
      for (const double length : {30.0, 60.0, 112.0, 160.0}) {
        QStringList texts = log(low, 0.9, length);
        texts.removeFirst();
        texts.removeLast();
        for (const QString& text : texts) {
          const double digits = text.toDouble() / std::pow(10, std::floor(std::log10(text.toDouble()) + 1e-9));
          QVERIFY2(std::abs(digits - 1) < 1e-6 || std::abs(digits - 2) < 1e-6 || std::abs(digits - 5) < 1e-6,
                   qPrintable(text));
        }
      }
    }
  }
};

QTEST_MAIN(ColourBarTest)
#include "colour_bar_test.moc"
