// SPDX-License-Identifier: GPL-3.0-or-later
#include <QImageReader>
#include <QTest>

#include "core/export/figures.h"
#include "tests/ui/figure/some_figures.h"
#include "ui/figure/figure_layout.h"
#include "ui/figure/map_raster.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

class RoleFigureTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void droppedRolesAreFaded() {
    RoleMap map{1, 1, 4, {Role::global, Role::local, Role::global, Role::sliding}};
    map.is_held = held_by_roles(map, 0);
    const MapRaster raster = rasterOf(map, 4, true, {});
    QCOMPARE(raster.image.pixel(0, 0), toQRgb(role_colour(Role::global, Theme::light)));
    QCOMPARE(raster.image.pixel(1, 0), fadedRoleColour(Role::local, Theme::light));    // ended by token 2
    QCOMPARE(raster.image.pixel(3, 0), fadedRoleColour(Role::sliding, Theme::light));  // W = 0: gone at once
    map.is_held = held_by_roles(map, 1);
    const MapRaster wider = rasterOf(map, 4, true, {});
    QCOMPARE(wider.image.pixel(3, 0), toQRgb(role_colour(Role::sliding, Theme::light)));
  }

  /// Without roles a map shows what is held, in no role's colour, and says so.
  void underH2oHeldAndDroppedAreDrawn() {
    FigureData figure = roles(2, 1, 40);
    figure.provenance.policy = "h2o:4,4";
    auto& map = std::get<RoleMap>(figure.values);
    map.roles.assign(map.roles.size(), Role::global);
    for (std::size_t i = 0; i < map.is_held.size(); ++i) map.is_held[i] = i % 5 == 0 ? 1 : 0;
    for (const Theme theme : {Theme::light, Theme::dark}) {
      const MapRaster raster = rasterOf(map, 40, false, {.theme = theme});
      for (int x = 0; x < 40; ++x) QCOMPARE(raster.image.pixel(x, 0), toQRgb(held_colour(theme, x % 5 != 0)));
    }
    const auto svg = renderFigure(figure, FigureFormat::svg, {});
    QVERIFY(svg);
    QVERIFY(svg->contains("Tokens that H2O holds"));
    QVERIFY(svg->contains("dropped by the end"));
    QVERIFY(!svg->contains("global"));
    map.is_held.pop_back();
    QCOMPARE(renderFigure(figure, FigureFormat::svg, {}).error().code, ErrorCode::bad_arrays);
  }

  /// A column stands for the tokens that it covers, by how much of each; the axis stays exact.
  void aLongTextsColumnsAreMeans() {
    RoleMap map{1, 1, 5, std::vector<Role>(5, Role::global), {1, 1, 0, 0, 0}};
    const MapRaster raster = rasterOf(map, 2, true, {});
    // Tokens 0, 1 and half of 2; half of 2, 3 and 4.
    const auto mean = [](int held, int faded) { return static_cast<int>(std::lround((2 * held + 0.5 * faded) / 2.5)); };
    const QRgb held = toQRgb(role_colour(Role::global, Theme::light));
    const QRgb faded = fadedRoleColour(Role::global, Theme::light);
    QCOMPARE(raster.image.pixel(0, 0),
             qRgb(mean(qRed(held), qRed(faded)), mean(qGreen(held), qGreen(faded)), mean(qBlue(held), qBlue(faded))));
    QCOMPARE(raster.image.pixel(1, 0), faded);

    const FigureData figure = roles(2, 2, 32'768);
    const auto png = renderFigure(figure, FigureFormat::png, {});
    QVERIFY(png);
    const QImage image = QImage::fromData(*png);
    QVERIFY2(image.width() < 2200, qPrintable(QString::number(image.width())));
    QCOMPARE(image.text(QStringLiteral("drawn_columns")), QStringLiteral("1875"));
    QCOMPARE(image.text(QStringLiteral("tokens_per_column")).toDouble(), 32'768 / 1875.0);  // every digit
    const FigureLayout layout = layOut(figure, {}, 300.0 / 72);
    QCOMPARE(layout.cell.width() * 32'768, layout.plot.width());
    QVERIFY(renderFigure(figure, FigureFormat::svg, {})->contains("the mean colour of the"));
    // Every token, where that is asked for.
    const auto whole = renderFigure(figure, FigureFormat::png, {.cellPixels = 1});
    QVERIFY(whole);
    QVERIFY(QImage::fromData(*whole).width() > 32'768);
    QVERIFY(QImage::fromData(*whole).text(QStringLiteral("drawn_columns")).isEmpty());
  }

  void aMapThatIsTooWideSaysWhatCanBeWritten() {
    QVERIFY(renderFigure(roles(1, 1, 100'000), FigureFormat::svg, {}).has_value());
    const auto bytes = renderFigure(roles(1, 1, 32'769), FigureFormat::svg, {.cellPixels = 1});
    QVERIFY(!bytes);
    QCOMPARE(bytes.error().code, ErrorCode::bad_range);
    QVERIFY(QString::fromStdString(bytes.error().hint).endsWith(QStringLiteral("write npy or csv")));
  }

  void whoHoldsWhatIsSaidInColourAndSign() {
    const FigureData figure = held(2, 2, 20);
    const auto& map = std::get<HeldMap>(figure.values);
    for (const Theme theme : {Theme::light, Theme::dark}) {
      const MapRaster raster = rasterOf(map, 20, {.theme = theme});
      for (int x = 0; x < 20; ++x)
        QCOMPARE(raster.image.pixel(x, 1),
                 toQRgb(held_by_colour(map.held_by[static_cast<std::size_t>(20 + x)], theme)));
    }
    const QStringList texts = textsOf(renderFigure(figure, FigureFormat::svg, {}));
    QVERIFY(texts.contains(QStringLiteral("streaming:4,16 only: %1").arg(map.counts.second)));
    QVERIFY(texts.contains(QStringLiteral("both: %1").arg(map.counts.both)));
    // In the map and in the legend.
    QCOMPARE(texts.count(QStringLiteral("+")), map.counts.first + 1);
    QCOMPARE(texts.count(QStringLiteral("−")), map.counts.second + 1);
    FigureData alone = figure;
    alone.compared.clear();
    QCOMPARE(renderFigure(alone, FigureFormat::svg, {}).error().code, ErrorCode::bad_arrays);
  }
};

QTEST_MAIN(RoleFigureTest)
#include "role_figure_test.moc"
