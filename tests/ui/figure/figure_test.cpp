// SPDX-License-Identifier: GPL-3.0-or-later
#include <QImageReader>
#include <QTemporaryDir>
#include <QTest>

#include "tests/ui/figure/some_figures.h"
#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_layout.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/prepare_figures.h"
#include "ui/figure/token_label.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

class FigureTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void everyKindIsDrawnInEveryFormatAndTheme() {
    const FigureData figures[] = {attention(40, 33, true),
                                  attention(1, 1, true),
                                  attention(300, 280, false),
                                  roles(3, 2, 50),
                                  roles(1, 1, 1),
                                  overview(2, 4, 30),
                                  overview(1, 1, 1),
                                  overview(3, 32, 300, true),
                                  curve(true),
                                  curve(false),
                                  text(true),
                                  text(false),
                                  text(true, false),
                                  losses(false),
                                  losses(true),
                                  held(3, 2, 50),
                                  held(1, 1, 5000)};
    for (FigureData figure : figures) {
      for (const FigureKind kind :
           {figure.kind, figure.kind == FigureKind::attention ? FigureKind::mask : figure.kind}) {
        figure.kind = kind;
        if (auto* map = std::get_if<Heatmap>(&figure.values)) map->kind = kind;
        for (const FigureFormat format : {FigureFormat::png, FigureFormat::svg, FigureFormat::pdf}) {
          for (const Theme theme : {Theme::light, Theme::dark}) {
            const auto bytes = renderFigure(figure, format, {.theme = theme, .dpi = 100});
            QVERIFY2(bytes, bytes ? "" : bytes.error().message.c_str());
            QVERIFY(bytes->size() > 500);
          }
        }
      }
    }
  }

  void noTitleIsCut() {
    FigureData figures[] = {attention(3, 3, false), roles(1, 1, 3), overview(1, 1, 9), curve(true), text(true),
                            held(1, 1, 3)};
    for (FigureData& figure : figures) {
      figure.provenance.by_hand.window = 12345;
      figure.provenance.by_hand.roles_sha256 = std::string(64, 'c');
      figure.provenance.by_hand.forced.resize(65536);
      const FigureLayout layout = layOut(figure, {}, 0);
      const QString title = shownTitle(figure, {});
      QVERIFY(title.contains(QStringLiteral("65536 roles set by hand")));
      QVERIFY(layout.plot.left() + textWidth(titleFont(), title) < layout.size.width());
    }
  }

  void badInputIsAnError() {
    FigureData figure = attention(4, 4, false);
    std::get<Heatmap>(figure.values).values.pop_back();
    QCOMPARE(renderFigure(figure, FigureFormat::png, {}).error().code, ErrorCode::bad_arrays);
    QCOMPARE(renderFigure(attention(4, 4, false), FigureFormat::png, {.dpi = 1}).error().code, ErrorCode::usage);
    FigureData none = attention(1, 1, false);
    std::get<Heatmap>(none.values).queries = {3, 3};
    QCOMPARE(renderFigure(none, FigureFormat::png, {}).error().code, ErrorCode::bad_range);
    std::get<Heatmap>(none.values).queries = {0, 9000};
    QCOMPARE(renderFigure(none, FigureFormat::png, {}).error().code, ErrorCode::bad_range);
    FigureData maps = overview(2, 2, 9);
    std::get<HeadOverview>(maps.values).visible.pop_back();
    QCOMPARE(renderFigure(maps, FigureFormat::png, {}).error().code, ErrorCode::bad_arrays);
    QCOMPARE(figureFormat("map.jpeg").error().code, ErrorCode::usage);
    QCOMPARE(*figureFormat("A.PDF"), FigureFormat::pdf);
  }

  void filesAreWrittenWhole() {
    QTemporaryDir folder;
    const std::filesystem::path path = (folder.path() + QStringLiteral("/roles.svg")).toStdString();
    QVERIFY(drawFigure(roles(2, 2, 20), {}, path));
    QVERIFY(std::filesystem::file_size(path) > 500);
    QCOMPARE(drawFigure(roles(2, 2, 20), {}, folder.path().toStdString() + "/none/roles.svg").error().code,
             ErrorCode::file_not_found);
    QCOMPARE(QDir(folder.path()).entryList(QDir::Files | QDir::Hidden).size(), 1);
  }

  void ticksAreRound() {
    for (const std::int64_t count : {1LL, 7LL, 10LL, 99LL, 4096LL, 1000000LL}) {
      const auto ticks = positionTicks(3, count, 8);
      QVERIFY(!ticks.empty() && ticks.size() <= 8);
      for (const std::int64_t tick : ticks) QVERIFY(tick >= 3 && tick < 3 + count);
    }
    QVERIFY(valueTicks(0, 5).size() == 2);
    for (const double top : {1e-9, 0.3, 7.0, 1234.5}) QVERIFY(valueTicks(top, 5).back() >= top * (1 - 1e-9));
  }

  void labelsShowWhatCannotBeSeen() {
    QCOMPARE(tokenLabel(QStringLiteral(" the")), QStringLiteral("\u00b7the"));
    QCOMPARE(tokenLabel(QStringLiteral("\n")), QStringLiteral("\u23ce"));
    QCOMPARE(tokenLabel(QString()), QStringLiteral("\u2205"));
    QCOMPARE(tokenLabel(QStringLiteral("internationalisation"), 6).size(), 6);
    // An emoji is two UTF-16 units: it is kept whole or left out.
    QVERIFY(!tokenLabel(QStringLiteral("abcd\U0001F600xyz"), 6).contains(QChar(0xD83D)));
  }

  /// Whatever width was chosen, nothing lies outside of it: what does not fit stands in more lines, or is refused.
  void aChosenWidthIsTheFigures() {
    const FigureData figures[] = {attention(40, 33, true),
                                  attention(300, 280, false),
                                  roles(3, 2, 50),
                                  roles(6, 4, 9000),
                                  overview(4, 8, 300, true),
                                  curve(true),
                                  text(true),
                                  text(false),
                                  losses(false),
                                  losses(true),
                                  held(3, 2, 500)};
    for (const double width : {57 * pointsAMillimetre, 89 * pointsAMillimetre, 183 * pointsAMillimetre}) {
      for (FigureData figure : figures) {
        figure.provenance.by_hand.window = 12;
        const FigureOptions options{.dpi = 200, .width = width};
        const auto png = renderFigure(figure, FigureFormat::png, options);
        QVERIFY2(png, png ? "" : png.error().message.c_str());
        QCOMPARE(QImage::fromData(*png).width(), qRound(width * 200 / 72));
        for (const double scale : {200.0 / 72, 0.0}) {
          const FigureLayout layout = layOut(figure, options, scale);
          QVERIFY(std::abs(layout.size.width() - width) < 1e-6);
          QVERIFY(layout.plot.right() <= width - page::margin + 1e-6);
          for (const QString& line : layout.title)
            QVERIFY(layout.plot.left() + textWidth(titleFont(), line) <= width - page::margin + 1e-6);
          QVERIFY(layout.plot.left() + layout.legend.width <= width - page::margin + 1e-6);
          QVERIFY(layout.legendY + layout.legend.height <= layout.size.height() - page::margin + 1e-6);
        }
      }
    }
    QCOMPARE(renderFigure(attention(9, 9, false), FigureFormat::svg, {.width = 60}).error().code, ErrorCode::usage);
    const auto tokens = renderFigure(attention(90, 90, true), FigureFormat::svg,
                                     {.width = 89 * pointsAMillimetre, .texts = AxisTexts::tokens});
    QCOMPARE(tokens.error().code, ErrorCode::usage);
    QVERIFY(tokens.error().hint.find("positions") != std::string::npos);
  }
};

QTEST_MAIN(FigureTest)
#include "figure_test.moc"
