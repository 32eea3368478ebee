// SPDX-License-Identifier: GPL-3.0-or-later
// What is painted: masked, zero and future cells look different; views find the cell under the cursor; text flows.
#include <QApplication>
#include <QPainter>
#include <QSignalSpy>
#include <QTest>
#include <set>

#include "tests/ui/views/made_up_tiles.h"
#include "ui/figure/token_flow.h"
#include "ui/theme/theme.h"
#include "ui/views/maps/attention_map_view.h"
#include "ui/views/maps/map_frame_times.h"
#include "ui/views/maps/map_marks.h"
#include "ui/views/named_token.h"

using namespace natscope;
using namespace natscope::ui;

class MapPictureTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { ThemeSwitch::instance().apply(*qApp, Theme::light); }

  void tableIsTheScale() {
    for (const ScaleKind kind : {ScaleKind::linear, ScaleKind::log}) {
      MapStyle style;
      style.scale.kind = kind;
      const ScaleRange range{1e-4, 0.5, kind};
      const ColourTable table(style, range);
      for (const float weight : {0.0F, 1e-6F, 1e-3F, 0.1F, 0.4999F, 1.0F}) {
        const Rgb wanted = colour_at(style.colours, place(weight, range));
        const QRgb got = table.at(weight);
        QVERIFY(std::abs(qRed(got) - wanted.red) <= 4 && std::abs(qGreen(got) - wanted.green) <= 4 &&
                std::abs(qBlue(got) - wanted.blue) <= 4);
      }
      (void)table.at(-1.0F);
      (void)table.at(std::numeric_limits<float>::quiet_NaN());
    }
  }

  void noWeightLooksMasked() {
    for (const Theme theme : {Theme::light, Theme::dark}) {
      const QImage texture = maskedBrush(theme).textureImage();
      std::set<QRgb> masked;
      for (int y = 0; y < texture.height(); ++y) {
        for (int x = 0; x < texture.width(); ++x) masked.insert(texture.pixel(x, y));
      }
      QVERIFY(masked.size() >= 2);
      for (const ColourMap map : {ColourMap::viridis, ColourMap::magma, ColourMap::cividis}) {
        for (const Rgb colour : natscope::colours(map))
          QVERIFY(!masked.contains(qRgb(colour.red, colour.green, colour.blue)));
      }
      QVERIFY(!masked.contains(colours(theme).panel.rgb()));
    }
  }

  void maskedZeroAndFutureDiffer() {
    MadeUpTiles tiles(3, [](std::int64_t query, std::int64_t key) {
      if (query == 2 && key == 0) return -1.0F;  // masked
      if (query == 1 && key == 0) return 0.0F;   // seen, weight zero
      return 0.5F;
    });
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(1, 1, 1, 3);
    AttentionMapView view(tiles, sequence, selection);
    view.resize(500, 450);
    QSignalSpy first(&view, &AttentionMapView::firstPicture);
    const QImage picture = view.grab().toImage();
    QCOMPARE(first.count(), 1);
    QVERIFY(view.isSharp());
    const auto colourOf = [&](std::int64_t query, std::int64_t key) {
      return picture.pixel(view.transform().rectOf({query, key}).center().toPoint());
    };
    const QRgb zero = colourOf(1, 0);
    const QRgb large = colourOf(1, 1);
    const QRgb future = colourOf(0, 2);
    QVERIFY(zero != large);
    QCOMPARE(future, colours(Theme::light).panel.rgb());
    // The hatching has two colours: look at a whole patch of it.
    const QRectF masked = view.transform().rectOf({2, 0});
    std::set<QRgb> hatched;
    for (int dx = -8; dx < 8; ++dx) hatched.insert(picture.pixel(masked.center().toPoint() + QPoint(dx, 0)));
    QVERIFY(hatched.size() >= 2);
    for (const QRgb other : {zero, large, future}) QVERIFY(!hatched.contains(other));
    // The small map beside it has the same cells, with edges.
    const QPoint small = view.transform().viewport().topRight().toPoint() + QPoint(12, 0);
    std::set<QRgb> crossed;
    for (int x = 2; x < 90; ++x) crossed.insert(picture.pixel(small + QPoint(x, 46)));
    QVERIFY(crossed.contains(zero) && crossed.contains(large));
    QVERIFY2(crossed.size() <= 4, qPrintable(QString::number(crossed.size())));
  }

  /// What is pinned is outlined, or dashed where cells are narrow: its colours can still be read against the bar.
  void aPinLeavesTheColoursOfItsCells() {
    for (const std::int64_t tokens : {12, 180}) {
      MadeUpTiles tiles(tokens, [](std::int64_t query, std::int64_t key) {
        return static_cast<float>(1 + (query * 5 + key * 3) % 11) / 11.0F;
      });
      SequenceModel sequence;
      Selection selection;
      selection.setLimits(1, 1, 1, tokens);
      AttentionMapView view(tiles, sequence, selection);
      view.resize(500, 450);
      const QImage plain = view.grab().toImage();
      selection.pin(TokenPos(3));
      selection.pinQuery(TokenPos(static_cast<std::int32_t>(tokens) - 3));
      const QImage marked = view.grab().toImage();
      int same = 0;
      for (std::int64_t query = 3; query < tokens; ++query) {
        const QPoint at = view.transform().rectOf({query, 3}).center().toPoint();
        same += plain.pixel(at) == marked.pixel(at) ? 1 : 0;
      }
      QVERIFY2(same >= (tokens - 3) * 2 / 3, qPrintable(QStringLiteral("%1 of %2").arg(same).arg(tokens - 3)));
      QVERIFY(plain != marked);
    }
  }

  void aTileThatIsMissingIsAskedForOnceItIsSeen() {
    MadeUpTiles tiles(2000, [](std::int64_t, std::int64_t) { return 0.1F; });
    tiles.answersLate = true;
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(1, 1, 1, 2000);
    AttentionMapView view(tiles, sequence, selection);
    view.resize(600, 600);
    (void)view.grab();
    QVERIFY(!view.isSharp());
    QVERIFY(!tiles.asked.empty());
    for (const TileKey& key : tiles.asked) QVERIFY(key.column <= key.row);
    tiles.deliver();
    for (int i = 0; i < 5 && !view.isSharp(); ++i) (void)view.grab();
    QVERIFY(view.isSharp());
  }

  void coloursFitWhatIsInView() {
    // Large weights above, small ones below, and in each block of 8 × 8 one that is ten times the others.
    MadeUpTiles tiles(2000, [](std::int64_t query, std::int64_t key) {
      const float weight = query < 1000 ? 0.5F : 1e-4F * static_cast<float>(1 + key / 1000);
      return query % 8 == 0 && key % 8 == 0 ? weight : weight / 10;
    });
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(1, 2, 1, 2000);
    AttentionMapView view(tiles, sequence, selection);
    MapStyle style;
    style.scale = {.kind = ScaleKind::linear, .clip_percentile = 100};
    view.resize(600, 600);
    const auto drawn = [&] {
      (void)view.grab();
      return view.isSharp();
    };
    QTRY_VERIFY(drawn());
    view.setMapStyle(style);  // the tile of the whole map is there by now
    const ScaleRange whole = view.range();
    QCOMPARE(whole.high, 0.5);
    view.transform().zoomAt(view.transform().rectOf({1500, 300}).center(), 40);
    QTRY_VERIFY(drawn());
    QVERIFY(view.range() == whole);  // the same while one zooms
    view.setFitsView(true);
    QTRY_VERIFY(drawn() && view.range().high < 0.4);
    QCOMPARE(static_cast<float>(view.range().high), 1e-4F);
    QVERIFY(view.rangeWords().contains(QStringLiteral("in view")));
    // It follows the view, another head begins with the whole map, and it can be taken back.
    view.transform().centreOn({1500, 1400});
    QTRY_VERIFY(drawn() && static_cast<float>(view.range().high) == 2e-4F);
    selection.setHead(HeadId(1));
    QTRY_VERIFY(drawn() && static_cast<float>(view.range().high) == 2e-4F);
    view.setFitsView(false);
    QVERIFY(view.range() == whole);
    QVERIFY(!view.rangeWords().contains(QStringLiteral("in view")));
  }

  void aMapWithoutTilesSaysWhy() {
    MadeUpTiles tiles(200, [](std::int64_t, std::int64_t) { return 0.1F; });
    tiles.answersLate = true;
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(1, 1, 1, 200);
    AttentionMapView view(tiles, sequence, selection);
    view.resize(700, 500);
    const QImage onTheirWay = view.grab().toImage();
    tiles.noneCome = QStringLiteral("no engine has this text");
    const QImage nobodyHasThem = view.grab().toImage();
    QVERIFY(onTheirWay != nobodyHasThem);
    // Where there is a picture nothing is said over it.
    tiles.deliver();
    tiles.noneCome.clear();
    (void)view.grab();
    const QImage drawn = view.grab().toImage();
    QVERIFY(view.isSharp());
    tiles.noneCome = QStringLiteral("no engine has this text");
    QCOMPARE(view.grab().toImage(), drawn);
  }

  void theLegendStaysInItsPlace() {
    for (const std::int64_t side : {2, 16, 256, 1024}) {
      QImage picture(300, 320, QImage::Format_RGB32);
      const QColor ground = colours(Theme::light).panel;
      picture.fill(ground);
      QPainter painter(&picture);
      const QRectF area(10, 10, 92, 290);
      drawMapLegend(painter, area, MapStyle{}, ScaleRange{1e-4, 0.5, ScaleKind::log}, side);
      painter.end();
      for (int y = 0; y < picture.height(); ++y) {
        for (int x = static_cast<int>(area.right()) + 1; x < picture.width(); ++x)
          QCOMPARE(picture.pixel(x, y), ground.rgb());
      }
    }
  }

  void aTokensTextIsNoPlaceForItsPosition() {
    SequenceRecord record(CacheGeometry{.layers = 1, .kv_heads = 1, .head_dim = 8}, false, 2);
    SequenceModel sequence;
    sequence.setSource([&record]() -> const SequenceRecord& { return record; });
    const std::vector<std::string> texts{"%1", "%2", " %", "a"};
    for (std::size_t n = 0; n < texts.size(); ++n) {
      TokenFrame frame;
      frame.position = TokenPos(static_cast<std::int32_t>(n));
      frame.text = texts[n];
      frame.roles = {Role::global};
      frame.entries = {static_cast<std::int32_t>(n) + 1};
      QVERIFY(record.append(std::move(frame)));
    }
    sequence.refresh(true);
    QCOMPARE(namedToken(sequence, TokenPos(0)), QStringLiteral("“%1” · 0"));
    QCOMPARE(namedToken(sequence, TokenPos(1)), QStringLiteral("“%2” · 1"));
    QCOMPARE(namedToken(sequence, TokenPos(2)), QStringLiteral("“·%” · 2"));
    QCOMPARE(namedToken(sequence, TokenPos(3)), QStringLiteral("“a” · 3"));
  }

  /// Among positions a mark is one, too, whatever the token's text is.
  void marksAmongPositionsArePositions() {
    MadeUpTiles tiles(2000, [](std::int64_t, std::int64_t) { return 0.1F; });
    SequenceRecord record;
    SequenceModel sequence;
    sequence.setSource([&record]() -> const SequenceRecord& { return record; });
    Selection selection;
    selection.setLimits(1, 1, 1, 2000);
    AttentionMapView view(tiles, sequence, selection);
    view.resize(700, 500);
    const auto marked = [&](const std::string& text) {
      record = SequenceRecord(CacheGeometry{.layers = 1, .kv_heads = 1, .head_dim = 8}, false, 2);
      for (std::int32_t n = 0; n < 2000; ++n) {
        TokenFrame frame;
        frame.position = TokenPos(n);
        frame.text = text;
        frame.roles = {Role::global};
        frame.entries = {n + 1};
        if (!record.append(std::move(frame))) break;
      }
      sequence.refresh(true);
      selection.hover(TokenPos(300), TokenPos(1500));
      for (int i = 0; i < 5; ++i) (void)view.grab();
      return view.grab().toImage().copy(0, 0, static_cast<int>(view.transform().viewport().left()), 480);
    };
    const QImage four = marked("4");
    QCOMPARE(record.size(), std::int64_t{2000});
    QCOMPARE(marked("entrance"), four);
  }

  /// As when the engine is gone and the window becomes smaller.
  void aMapThatBecomesSmallerKeepsItsPicture() {
    MadeUpTiles tiles(200, [](std::int64_t, std::int64_t) { return 0.1F; });
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(1, 1, 1, 200);
    AttentionMapView view(tiles, sequence, selection);
    view.resize(700, 600);
    for (int i = 0; i < 5 && !view.isSharp(); ++i) (void)view.grab();  // a frame paints what it has time for
    QVERIFY(view.isSharp());
    tiles.answersLate = true;
    view.resize(300, 180);
    const QImage small = view.grab().toImage();
    QVERIFY(!view.isSharp());
    const QRgb middle = small.pixel(view.transform().rectOf({150, 60}).center().toPoint());
    QVERIFY(middle != colours(Theme::light).raised.rgb());
  }

  /// The colours of another run are not those of the run before, however little they differ; while one run grows they
  /// are held steady, and when it has come to its end they are what they would be without its past.
  void aRangeIsThatOfTheMapOnScreen() {
    float largest = 1.0F;
    MadeUpTiles tiles(300, [&](std::int64_t query, std::int64_t key) { return query == key ? largest : 0.001F; });
    tiles.answersLate = true;
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(2, 2, 2, 300);
    AttentionMapView view(tiles, sequence, selection);
    MapStyle style;
    style.scale = {.kind = ScaleKind::linear, .clip_percentile = 100};
    view.setMapStyle(style);
    view.resize(700, 500);
    const auto draw = [&] {
      (void)view.grab();
      tiles.deliver();
      (void)view.grab();
    };
    draw();
    QCOMPARE(view.range().high, 1.0);
    QVERIFY(view.rangeWords().contains(QStringLiteral("largest of 2 × 2 weights")));
    largest = 0.97F;
    tiles.replace(300);
    draw();
    QCOMPARE(view.range().high, static_cast<double>(0.97F));
    largest = 0.96F;
    tiles.grow(310);
    sequence.refresh(false);
    draw();
    QCOMPARE(view.range().high, static_cast<double>(0.97F));
    QTRY_COMPARE(view.range().high, static_cast<double>(0.96F));
    // Another head, and back.
    largest = 0.95F;
    selection.setLayerAndHead(LayerId(1), HeadId(0));
    draw();
    QCOMPARE(view.range().high, static_cast<double>(0.95F));
    selection.setLayerAndHead(LayerId(0), HeadId(0));
    QCOMPARE(view.range().high, static_cast<double>(0.96F));
    tiles.replace(200);
    draw();
    QVERIFY(view.rangeWords().contains(QStringLiteral("visible weights of the whole map")));
  }

  void aLowViewGivesItsRoomToTheMap() {
    MadeUpTiles tiles(100, [](std::int64_t, std::int64_t) { return 0.1F; });
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(1, 1, 1, 100);
    AttentionMapView view(tiles, sequence, selection);
    view.resize(600, 250);
    (void)view.grab();
    QVERIFY(view.transform().viewport().height() >= 250 - mapTopLow - mapBottom);
    // Twice as wide as high, and what is under the cursor is what is drawn there.
    QCOMPARE(view.transform().scaleAcross(), 2 * view.transform().scale());
    QVERIFY(view.transform().isWhole());
    QVERIFY(view.transform().rectOf({99, 99}).right() <= view.transform().viewport().right() + 1e-6);
    for (const MapCell cell : {MapCell{0, 0}, MapCell{70, 3}, MapCell{99, 99}}) {
      QCOMPARE(view.transform().cellAt(view.transform().rectOf(cell).center()).value(), cell);
    }
    view.transform().zoomAt(view.transform().rectOf({70, 30}).center(), 3);
    QVERIFY(view.transform().cellAt(view.transform().rectOf({70, 30}).center()) == MapCell({70, 30}));
    view.showWhole();
    view.resize(600, 500);
    (void)view.grab();
    QCOMPARE(view.transform().viewport().top(), mapTop);
    QCOMPARE(view.transform().scaleAcross(), view.transform().scale());
  }

  void thePinnedCellMovesByKeys() {
    MadeUpTiles tiles(2000, [](std::int64_t, std::int64_t) { return 0.25F; });
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(1, 1, 1, 2000);
    AttentionMapView view(tiles, sequence, selection);
    view.resize(600, 500);
    (void)view.grab();
    MapTransform& transform = view.transform();
    const auto press = [&view](Qt::Key key) { QTest::keyClick(&view, key, Qt::ShiftModifier); };
    const auto pinned = [&selection] { return MapCell{selection.pinnedQuery()->value, selection.pinned()[0].value}; };
    const auto isInSight = [&] {
      return pinned().query >= transform.firstQuery() && pinned().query < transform.endQuery() &&
             pinned().key >= transform.firstKey() && pinned().key < transform.endKey();
    };
    // Where nothing is pinned, the middle of what is shown is, where there is something to see.
    press(Qt::Key_Down);
    QCOMPARE(selection.pinned().size(), std::size_t{1});
    QVERIFY(isInSight() && pinned().key <= pinned().query);
    // From cell to cell, and in the whole map by what a pixel shows.
    transform.zoomAt(transform.viewport().center(), 100);
    MapCell before = pinned();
    press(Qt::Key_Down);
    QCOMPARE(pinned(), (MapCell{before.query + 1, before.key}));
    QVERIFY(isInSight());
    press(Qt::Key_Left);
    QCOMPARE(pinned(), (MapCell{before.query + 1, before.key - 1}));
    press(Qt::Key_Up);
    press(Qt::Key_Right);
    QCOMPARE(pinned(), before);
    for (int i = 0; i < 100; ++i) press(Qt::Key_Down);
    QCOMPARE(pinned().query, before.query + 100);
    QVERIFY(isInSight());
    view.showWhole();
    before = pinned();
    press(Qt::Key_Up);
    QCOMPARE(pinned().query, before.query - (std::int64_t{1} << transform.tileZoom()));
    for (int i = 0; i < 1000; ++i) press(Qt::Key_Up);
    QCOMPARE(pinned().query, 0);
  }

  void aKeyIsShownWhereQueriesSeeIt() {
    MadeUpTiles tiles(2000, [](std::int64_t, std::int64_t) { return 0.25F; });
    SequenceModel sequence;
    Selection selection;
    AttentionMapView view(tiles, sequence, selection);
    view.resize(600, 500);
    (void)view.grab();
    MapTransform& transform = view.transform();
    const auto isSeen = [&transform](std::int64_t key) {
      return transform.firstKey() <= key && key < transform.endKey() && key < transform.endQuery();
    };
    transform.zoomAt(transform.viewport().topLeft(), 20);
    QVERIFY(!isSeen(1500));
    view.showKey(TokenPos(1500));
    QVERIFY(isSeen(1500));
    // Where the column is seen nothing moves; a key of before is seen by the queries that are shown.
    const std::int64_t queries = transform.firstQuery();
    view.showKey(TokenPos(1500));
    QCOMPARE(transform.firstQuery(), queries);
    view.showKey(TokenPos(100));
    QVERIFY(isSeen(100));
    QVERIFY(std::abs(transform.firstQuery() - queries) <= 1);
    // In sight, though only above the diagonal.
    view.showWhole();
    transform.zoomAt(transform.viewport().topLeft(), 20);
    const std::int64_t beyond = transform.endQuery() + 1;
    transform.pan({-60 * transform.scaleAcross(), 0});
    QVERIFY(beyond < transform.endKey());
    view.showKey(TokenPos(static_cast<std::int32_t>(beyond)));
    QVERIFY(isSeen(beyond));
    view.showKey(TokenPos(1999));
    QVERIFY(isSeen(1999));
  }

  void hoverAndClickReachTheSelection() {
    MadeUpTiles tiles(10, [](std::int64_t, std::int64_t) { return 0.1F; });
    SequenceModel sequence;
    Selection selection;
    selection.setLimits(1, 1, 1, 10);
    AttentionMapView view(tiles, sequence, selection);
    view.resize(500, 500);
    (void)view.grab();
    const QPoint at = view.transform().rectOf({7, 3}).center().toPoint();
    QTest::mouseMove(&view, at);
    QTest::mouseClick(&view, Qt::LeftButton, Qt::NoModifier, at);
    QCOMPARE(selection.pinned().size(), std::size_t{1});
    QCOMPARE(selection.pinned()[0].value, 3);
    QCOMPARE(selection.pinnedQuery()->value, 7);
    QTest::mouseClick(&view, Qt::LeftButton, Qt::ShiftModifier, view.transform().rectOf({8, 5}).center().toPoint());
    QCOMPARE(selection.pinned().size(), std::size_t{2});
  }

  void textFlowsAndFindsItsTokens() {
    QFont font;
    font.setPixelSize(14);
    TokenFlow flow{QFontMetricsF(font)};
    flow.setWidth(200);
    const QStringList words{QStringLiteral("Al"),     QStringLiteral("ice"),
                            QStringLiteral(" was"),   QStringLiteral(" beginning"),
                            QStringLiteral("\n"),     QStringLiteral(" to"),
                            QStringLiteral(" get"),   QStringLiteral(" very"),
                            QStringLiteral(" tired"), QString()};
    for (int i = 0; i < 40; ++i) flow.append(words.at(i % words.size()));
    for (std::size_t i = 0; i < flow.size(); ++i) {
      QVERIFY(flow.rectOf(i).right() <= 200.5);
      QCOMPARE(flow.tokenAt(flow.rectOf(i).center()), std::optional<std::size_t>(i));
      if (i > 0) QVERIFY(flow.rectOf(i).top() >= flow.rectOf(i - 1).top());
    }
    QVERIFY(flow.rectOf(5).top() > flow.rectOf(4).top());  // after a line break
    std::vector<QRectF> before;
    for (std::size_t i = 0; i < flow.size(); ++i) before.push_back(flow.rectOf(i));
    flow.setWidth(90);
    flow.setWidth(200);
    for (std::size_t i = 0; i < flow.size(); ++i) QCOMPARE(flow.rectOf(i), before[i]);
  }

  void framesAreMeasured() {
    const std::vector<double> times = measureMapFrames(4096, 10, {700, 600});
    QCOMPARE(times.size(), std::size_t{10});
    for (const double ms : times) QVERIFY(ms > 0);
  }
};

QTEST_MAIN(MapPictureTest)
#include "map_picture_test.moc"
