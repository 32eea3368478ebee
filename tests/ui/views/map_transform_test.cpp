// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/map_transform.h"

#include <QRandomGenerator>
#include <QTest>

#include "ui/views/maps/column_transform.h"
#include "ui/views/maps/pointer.h"

using namespace natscope::ui;

class MapTransformTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void wholeMapFits() {
    MapTransform map;
    map.setViewport({60, 50, 800, 600});
    map.setTokens(4096);
    QVERIFY(map.isWhole());
    QCOMPARE(map.scale(), 600.0 / 4096);
    QCOMPARE(map.firstKey(), 0);
    QCOMPARE(map.endQuery(), 4096);
  }

  void cellUnderTheCursorIsTheCellDrawnThere() {
    MapTransform map;
    map.setViewport({60, 50, 800, 600});
    map.setTokens(997);
    QRandomGenerator random(7);
    for (int i = 0; i < 200; ++i) {
      map.zoomAt({60 + 800 * random.generateDouble(), 50 + 600 * random.generateDouble()},
                 0.5 + random.generateDouble());
      map.pan({100 * random.generateDouble() - 50, 100 * random.generateDouble() - 50});
      const QPointF at(60 + 799 * random.generateDouble(), 50 + 599 * random.generateDouble());
      const auto cell = map.cellAt(at);
      if (cell)
        QVERIFY2(map.rectOf(*cell).adjusted(-1e-6, -1e-6, 1e-6, 1e-6).contains(at),
                 qPrintable(QStringLiteral("try %1").arg(i)));
    }
  }

  void zoomKeepsThePointUnderTheCursor() {
    MapTransform map;
    map.setViewport({0, 0, 1000, 1000});
    map.setTokens(16384);
    map.zoomAt({400, 300}, 40);
    map.pan({-2000, -1500});
    const QPointF at(613, 287);
    const double key = (at.x() - map.xOf(0)) / map.scale();
    const double query = (at.y() - map.yOf(0)) / map.scale();
    map.zoomAt(at, 1.7);
    QVERIFY(std::abs(map.xOf(key) - at.x()) < 1e-6);
    QVERIFY(std::abs(map.yOf(query) - at.y()) < 1e-6);
  }

  /// Also where it does not fill the rectangle, and while a step makes it wider than that.
  void zoomGoesToTheCursorWhileTheMapIsNarrow() {
    for (const QSizeF size : {QSizeF(1000, 400), QSizeF(400, 1000)}) {
      MapTransform map;
      map.setViewport({QPointF(60, 50), size});
      map.setTokens(200);
      const QPointF at(60 + 310, 50 + 330);
      const double key = (at.x() - map.xOf(0)) / map.scaleAcross();
      const double query = (at.y() - map.yOf(0)) / map.scale();
      for (int step = 0; step < 9; ++step) {
        map.zoomAt(at, 1.25);
        QVERIFY2(std::abs(map.xOf(key) - at.x()) < 1e-6, qPrintable(QStringLiteral("step %1").arg(step)));
        QVERIFY2(std::abs(map.yOf(query) - at.y()) < 1e-6, qPrintable(QStringLiteral("step %1").arg(step)));
        // No more is empty than was at first.
        QVERIFY(map.xOf(200) >= 60 + 400 - 1e-6 && map.yOf(200) >= 50 + 400 - 1e-6);
      }
      // A drag fills what is empty, and makes nothing empty.
      map.pan({1e9, 1e9});
      map.pan({-1e9, -1e9});
      QVERIFY(map.xOf(200) >= 60 + size.width() - 1e-6 && map.yOf(200) >= 50 + size.height() - 1e-6);
      map.zoomAt(at, 1e-9);
      QVERIFY(map.isWhole());
      QCOMPARE(map.xOf(0), 60.0);
    }
  }

  void neverLeavesTheMap() {
    MapTransform map;
    map.setViewport({0, 0, 500, 400});
    map.setTokens(300);
    map.zoomAt({250, 200}, 10);
    map.pan({1e9, 1e9});
    QCOMPARE(map.firstKey(), 0);
    QCOMPARE(map.firstQuery(), 0);
    map.pan({-1e9, -1e9});
    QCOMPARE(map.endKey(), 300);
    QCOMPARE(map.endQuery(), 300);
    map.zoomAt({250, 200}, 1e-9);
    QVERIFY(map.isWhole());
    map.zoomAt({250, 200}, 1e9);
    QVERIFY(map.scale() <= 64);
    QVERIFY(!map.cellAt({600, 10}));
  }

  void aGrowingMapStaysWholeOrStaysWhereItIs() {
    MapTransform map;
    map.setViewport({0, 0, 500, 500});
    map.setTokens(100);
    map.setTokens(101);
    QVERIFY(map.isWhole());
    QCOMPARE(map.endKey(), 101);
    map.zoomAt({0, 0}, 4);
    const double scale = map.scale();
    map.setTokens(102);
    QCOMPARE(map.scale(), scale);
    QCOMPARE(map.firstKey(), 0);
  }

  void tileCellsAreOneToTwoPixels() {
    MapTransform map;
    map.setViewport({0, 0, 900, 900});
    for (const std::int64_t tokens : {1LL, 31LL, 256LL, 257LL, 4096LL, 16384LL, 32768LL}) {
      map.setTokens(tokens);
      map.showWhole();
      const double pixels = map.scale() * static_cast<double>(std::int64_t{1} << map.tileZoom());
      QVERIFY(pixels >= 1);
      QVERIFY(map.tileZoom() == 0 || pixels < 2);
    }
  }

  void emptyMapHasNoCells() {
    MapTransform map;
    map.setViewport({0, 0, 100, 100});
    map.setTokens(0);
    QVERIFY(!map.cellAt({10, 10}));
    QCOMPARE(map.endKey(), 0);
  }

  void columnsZoomAboutTheCursor() {
    ColumnTransform columns;
    columns.setArea(40, 600);
    columns.setTokens(1000);
    const auto token = columns.tokenAt(333);
    columns.zoomAt(333, 5);
    QCOMPARE(columns.tokenAt(333), token);
    columns.pan(1e9);
    QCOMPARE(columns.firstToken(), 0);
    columns.pan(-1e9);
    QCOMPARE(columns.endToken(), 1000);
    QVERIFY(!columns.tokenAt(39));
    QVERIFY(!columns.tokenAt(640));
  }

  void aPressIsAClickUntilItMovedFarther() {
    Press press;
    press.move({5, 5});
    QVERIFY(!press.isHeld());
    press.begin({10, 10});
    QCOMPARE(press.move({12, 12}), QPointF(2, 2));
    QVERIFY(!press.isDrag());
    QVERIFY(press.end());
    QVERIFY(!press.end());  // it was said

    press.begin({10, 10});
    QCOMPARE(press.move({13, 12}), QPointF(3, 2));
    QVERIFY(press.isDrag());
    QCOMPARE(press.move({10, 10}), QPointF(-3, -2));
    QVERIFY(press.isDrag());  // to its end, though it is back where it began
    QVERIFY(!press.end());
    QVERIFY(!press.isDrag());
    QCOMPARE(press.move({20, 10}), QPointF(10, 0));
    QVERIFY(!press.isDrag());
  }

  void aNotchOfTheWheelZoomsByAStep() {
    const auto turned = [](int angle) {
      return zoomOf(QWheelEvent({}, {}, {}, {0, angle}, Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false));
    };
    QCOMPARE(turned(120), zoomPerStep);
    QCOMPARE(turned(-240), 1 / (zoomPerStep * zoomPerStep));
    QCOMPARE(turned(0), 1.0);
  }
};

QTEST_MAIN(MapTransformTest)
#include "map_transform_test.moc"
