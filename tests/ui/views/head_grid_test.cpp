// SPDX-License-Identifier: GPL-3.0-or-later
// The maps of all heads: what is fetched and when it is forgotten, what is painted, what a click and a key choose.
#include <QApplication>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <set>

#include "tests/ui/patience.h"
#include "tests/ui/views/made_up_record.h"
#include "tests/ui/views/made_up_tiles.h"
#include "ui/theme/theme.h"
#include "ui/views/maps/head_grid_view.h"
#include "ui/views/maps/map_marks.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

/// Below the diagonal: key 0 is strong, key 1 is seen with weight 0, key 2 is masked, the rest is weak or weaker.
float weightOf(std::int64_t, std::int64_t key) {
  if (key == 0) return 0.9F;
  if (key == 1) return 0.0F;
  if (key == 2) return -1.0F;
  return key == 3 ? 0.0001F : 0.01F;
}

}  // namespace

class HeadGridTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { ThemeSwitch::instance().apply(*qApp, Theme::light); }

  void init() { make(3, 4, 2, 40); }

  void cleanup() { view_.reset(); }

  void theChosenHeadAndWhatIsOnScreenComeFirst() {
    selection_->setLayerAndHead(LayerId(2), HeadId(1));
    show();
    QTRY_COMPARE_WITH_TIMEOUT(tiles_->later.size(), std::size_t{12}, patience);
    QVERIFY((tiles_->later.front() == TileKey{LayerId(2), HeadId(1), 0, 0, 0}));
    QVERIFY((tiles_->later[1] == TileKey{LayerId(0), HeadId(0), 0, 0, 0}));
    QVERIFY(tiles_->asked.empty());  // the map view's own tiles are its own business
    QCOMPARE(view_->progress(), std::pair(0, 12));
    tiles_->deliverLater(5);
    QCOMPARE(view_->progress(), std::pair(5, 12));
    tiles_->deliverLater();
    QCOMPARE(view_->progress(), std::pair(12, 12));
  }

  void mapsAreKeptUntilAnotherTextIsShown() {
    show();
    fetchAll();
    view_->hide();
    show();
    QTest::qWait(300);
    QVERIFY(tiles_->later.empty());
    QCOMPARE(view_->progress(), std::pair(12, 12));
    // A longer text: each is fetched again, and stays until the new one is there.
    tiles_->grow(60);
    setRecord(60);
    QTRY_COMPARE_WITH_TIMEOUT(tiles_->later.size(), std::size_t{12}, patience);
    QCOMPARE(view_->progress(), std::pair(0, 12));
    QVERIFY(view_->describe({LayerId(0), HeadId(0)}).contains(QStringLiteral("first 40 tokens")));
    const QRect square = view_->rectOf({LayerId(0), HeadId(1)});
    const QImage picture = grabbed();
    // It takes its part of the square; where it has nothing to say the square does not look like zeros.
    QCOMPARE(picture.pixel(square.bottomRight() - QPoint(4, 4)), colours(Theme::light).raised.rgb());
    QVERIFY(picture.pixel(square.topLeft() + QPoint(3, 8)) != colours(Theme::light).raised.rgb());
    tiles_->deliverLater();
    QCOMPARE(view_->progress(), std::pair(12, 12));
    QVERIFY(grabbed().pixel(square.bottomRight() - QPoint(4, 4)) != colours(Theme::light).raised.rgb());
    // Another text: none of them is of it.
    tiles_->replace(40);
    QCOMPARE(view_->progress(), std::pair(0, 12));
    QVERIFY(view_->describe({LayerId(0), HeadId(0)}).contains(QStringLiteral("not computed yet")));
    QTRY_COMPARE_WITH_TIMEOUT(tiles_->later.size(), std::size_t{12}, patience);
  }

  void outOfSightNothingIsFetched() {
    QTest::qWait(300);
    QVERIFY(tiles_->later.empty());
    show();
    QTRY_VERIFY_WITH_TIMEOUT(!tiles_->later.empty(), patience);
    view_->setSeen(false);
    QVERIFY(tiles_->later.empty());
    QTest::qWait(300);
    QVERIFY(tiles_->later.empty());
    view_->setSeen(true);
    QTRY_VERIFY_WITH_TIMEOUT(!tiles_->later.empty(), patience);
    view_->hide();
    QVERIFY(tiles_->later.empty());
  }

  void notComputedMaskedZeroAndFutureDiffer() {
    show();
    const QRect square = view_->rectOf({LayerId(1), HeadId(2)});
    QVERIFY(square.width() >= 80);
    const double cell = square.width() / 40.0;
    const auto at = [&](double query, double key) {
      return square.topLeft() + QPoint(static_cast<int>((key + 0.5) * cell), static_cast<int>((query + 0.5) * cell));
    };
    const QRgb before = grabbed().pixel(at(20, 1));
    QCOMPARE(before, colours(Theme::light).raised.rgb());
    fetchAll();
    const QImage picture = grabbed();
    const QRgb strong = picture.pixel(at(20, 0));
    const QRgb zero = picture.pixel(at(20, 1));
    const QRgb weak = picture.pixel(at(20, 10));
    const QRgb future = picture.pixel(at(5, 30));
    QCOMPARE(future, colours(Theme::light).panel.rgb());
    const std::set<QRgb> all{before, strong, zero, weak, future};
    QCOMPARE(all.size(), std::size_t{5});
    // Masked is hatched with the map view's two greys.
    const QImage texture = maskedBrush(Theme::light).textureImage();
    std::set<QRgb> greys;
    for (int y = 0; y < texture.height(); ++y) {
      for (int x = 0; x < texture.width(); ++x) greys.insert(texture.pixel(x, y));
    }
    QVERIFY(greys.contains(picture.pixel(at(20, 2))));
    QVERIFY(!greys.contains(zero) && !greys.contains(before));
    // Without the sink its column is as masked, and the colours are the rest's.
    const double high = view_->range().high;
    MapStyle style;
    style.scale.hide_sink = true;
    view_->setMapStyle(style);
    QVERIFY(greys.contains(grabbed().pixel(at(20, 0))));
    QVERIFY(view_->range().high < high / 10);
    QVERIFY(grabbed().pixel(at(20, 10)) != weak);
  }

  void oneColumnIsNotLostInASmallPicture() {
    make(3, 4, 2, 1000);  // cells of 4 × 4 tokens, three of them a pixel
    show();
    view_->resize(350, 300);
    const QRect square = view_->rectOf({LayerId(0), HeadId(3)});
    QVERIFY(square.width() < 80);
    fetchAll();
    const QImage picture = grabbed();
    // The diagonal ends in the lower right corner, the strong column is the first one of pixels.
    const QRgb sink = picture.pixel(square.left(), square.center().y());
    const QRgb weak = picture.pixel(square.left() + 10, square.center().y());
    QVERIFY(sink != weak);
    QCOMPARE(picture.pixel(square.right() - 4, square.top() + 10), colours(Theme::light).panel.rgb());
  }

  void aClickAndKeysChooseAHead() {
    show();
    QSignalSpy changed(selection_.get(), &Selection::headChanged);
    QSignalSpy opened(view_.get(), &HeadGridView::headOpened);
    QTest::mouseClick(view_->viewport(), Qt::LeftButton, {}, view_->rectOf({LayerId(2), HeadId(3)}).center());
    QCOMPARE(changed.count(), 1);  // layer and head at once
    QVERIFY(isChosen(2, 3));
    const QRect square = view_->rectOf({LayerId(2), HeadId(3)});
    QCOMPARE(grabbed().pixel(square.left() - 1, square.center().y()), colours(Theme::light).crosshair.rgb());
    for (const int key : {Qt::Key_Right, Qt::Key_Down}) {
      QTest::keyClick(view_.get(), static_cast<Qt::Key>(key));  // there is none beside
      QVERIFY(isChosen(2, 3));
    }
    QTest::keyClick(view_.get(), Qt::Key_Up);
    QTest::keyClick(view_.get(), Qt::Key_Left);
    QVERIFY(isChosen(1, 2));
    QTest::keyClick(view_.get(), Qt::Key_Home);
    QVERIFY(isChosen(1, 0));
    QTest::keyClick(view_.get(), Qt::Key_End);
    QVERIFY(isChosen(1, 3));
    QCOMPARE(opened.count(), 0);
    QTest::keyClick(view_.get(), Qt::Key_Return);
    QTest::mouseDClick(view_->viewport(), Qt::LeftButton, {}, square.center());
    QCOMPARE(opened.count(), 2);
    // Beside the maps there is nothing to choose.
    selection_->setLayerAndHead(LayerId(0), HeadId(0));
    QTest::mouseClick(view_->viewport(), Qt::LeftButton, {}, QPoint(5, 5));
    QTest::mouseClick(view_->viewport(), Qt::LeftButton, {},
                      QPoint(view_->viewport()->width() - 5, view_->viewport()->height() - 5));
    QVERIFY(isChosen(0, 0));
  }

  void theCursorIsToldWhatItIsOver() {
    show();
    fetchAll();
    QSignalSpy hovered(view_.get(), &HeadGridView::hovered);
    QTest::mouseMove(view_->viewport(), view_->rectOf({LayerId(1), HeadId(3)}).center());
    QTRY_COMPARE_WITH_TIMEOUT(hovered.count(), 1, patience);
    // 40 tokens of layer 1, KV head 1, the fourth of all: roles go round from S, but the first is G.
    QCOMPARE(hovered[0][0].toStringList().first(),
             QStringLiteral("Layer 1, head 3, KV head 1: Global 35.0 %, Local 32.5 %, Sliding 32.5 %"));
    QCOMPARE(hovered[0][0].toStringList().last(), QStringLiteral("L1 H3 (KV 1): G 35.0 %, L 32.5 %, S 32.5 %"));
    QTest::mouseMove(view_->viewport(), QPoint(2, 2));
    QTRY_COMPARE_WITH_TIMEOUT(hovered.count(), 2, patience);
    QVERIFY(hovered[1][0].toStringList().isEmpty());
  }

  void manyHeadsScroll() {
    make(32, 32, 8, 50);
    show();
    view_->resize(600, 300);
    QTRY_COMPARE_WITH_TIMEOUT(tiles_->later.size(), std::size_t{1024}, patience);
    QVERIFY(view_->rectOf({LayerId(0), HeadId(0)}).width() >= 24);
    QVERIFY(view_->verticalScrollBar()->maximum() > 0);
    QVERIFY(view_->horizontalScrollBar()->maximum() > 0);
    // The chosen head comes into view, and its neighbours are fetched before the others.
    selection_->setLayerAndHead(LayerId(31), HeadId(31));
    QVERIFY(view_->viewport()->rect().contains(view_->rectOf({LayerId(31), HeadId(31)})));
    QTRY_VERIFY_WITH_TIMEOUT(tiles_->later.front().layer == LayerId(31), patience);
    QVERIFY(tiles_->later[1].layer.value > 15);
    QCOMPARE(view_->headAt(view_->rectOf({LayerId(30), HeadId(29)}).center()).value(),
             (MapId{LayerId(30), HeadId(29)}));
    fetchAll();
    QElapsedTimer clock;
    clock.start();
    (void)grabbed();
    qInfo("1024 heads painted in %lld ms", static_cast<long long>(clock.elapsed()));
    // More of them are seen where that is wanted.
    QTest::keyClick(view_.get(), Qt::Key_Minus);
    QVERIFY(view_->rectOf({LayerId(0), HeadId(0)}).width() < 24);
    QTest::keyClick(view_.get(), Qt::Key_Plus);
    QCOMPARE(view_->rectOf({LayerId(0), HeadId(0)}).width(), 24);
    // All of them fit where there is room.
    view_->resize(1300, 1100);
    QCOMPARE(view_->verticalScrollBar()->maximum(), 0);
    QCOMPARE(view_->horizontalScrollBar()->maximum(), 0);
  }

  void mapsThatWereNotRecordedSaySo() {
    tiles_->missing = [](LayerId layer, HeadId head) { return layer.value != 1 || head.value != 2; };
    show();
    QTRY_COMPARE_WITH_TIMEOUT(tiles_->later.size(), std::size_t{1}, patience);
    QCOMPARE(view_->progress(), std::pair(0, 1));
    tiles_->deliverLater();
    QCOMPARE(view_->progress(), std::pair(1, 1));
    QVERIFY(view_->describe({LayerId(0), HeadId(0)}).endsWith(QStringLiteral("not recorded")));
    const QRect square = view_->rectOf({LayerId(0), HeadId(0)});
    const QImage picture = grabbed();
    QCOMPARE(picture.pixel(square.center() + QPoint(0, square.height() / 4)), colours(Theme::light).raised.rgb());
    QCOMPARE(picture.pixel(square.topLeft() + QPoint(10, 10)), colours(Theme::light).border.rgb());  // crossed out
    // Where there is none at all the view says why.
    tiles_->missing = [](LayerId, HeadId) { return true; };
    QVERIFY(!view_->headAt(square.center()));
  }

 private:
  void make(int layers, int heads, int kvHeads, int tokens) {
    view_.reset();
    thumbnails_.reset();
    tiles_ = std::make_unique<MadeUpTiles>(tokens, weightOf);
    sequence_ = std::make_unique<SequenceModel>();
    selection_ = std::make_unique<Selection>();
    layers_ = layers;
    kvHeads_ = kvHeads;
    selection_->setLimits(layers, heads, kvHeads, tokens);
    sequence_->setSource([this]() -> const SequenceRecord& { return record_; });
    record_ = madeUpRecord(layers, kvHeads, tokens);
    thumbnails_ = std::make_unique<HeadThumbnails>(*tiles_);
    view_ = std::make_unique<HeadGridView>(*tiles_, *thumbnails_, *sequence_, *selection_);
    view_->resize(560, 420);
    MapStyle style;
    style.scale.kind = ScaleKind::log;
    style.scale.clip_percentile = 100;
    view_->setMapStyle(style);
  }

  void setRecord(int tokens) {
    record_ = madeUpRecord(layers_, kvHeads_, tokens);
    sequence_->refresh(false);
  }

  void show() {
    view_->show();
    QVERIFY(QTest::qWaitForWindowExposed(view_.get()));
    view_->setFocus();
  }

  void fetchAll() {
    QTRY_VERIFY_WITH_TIMEOUT(!tiles_->later.empty(), patience);
    tiles_->deliverLater();
  }

  /// Pictures are made a few a frame.
  QImage grabbed() {
    for (int i = 0; i < 60; ++i) (void)view_->viewport()->grab();
    return view_->viewport()->grab().toImage();
  }

  [[nodiscard]] bool isChosen(int layer, int head) const {
    return selection_->layer().value == layer && selection_->head().value == head;
  }

  int layers_ = 0;
  int kvHeads_ = 0;
  SequenceRecord record_;
  std::unique_ptr<MadeUpTiles> tiles_;
  std::unique_ptr<SequenceModel> sequence_;
  std::unique_ptr<Selection> selection_;
  std::unique_ptr<HeadThumbnails> thumbnails_;
  std::unique_ptr<HeadGridView> view_;
};

QTEST_MAIN(HeadGridTest)
#include "head_grid_test.moc"
