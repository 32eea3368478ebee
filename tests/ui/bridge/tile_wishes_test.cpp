// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/tile_wishes.h"

#include <QtTest>

namespace natscope::ui {

class TileWishesTest : public QObject {
  Q_OBJECT

  static TileKey tile(std::int32_t row) { return {LayerId(0), HeadId(0), 0, row, 0}; }

 private Q_SLOTS:
  void servesTheNewestFirst() {
    TileWishes wishes;
    for (int row = 0; row < 8; ++row) wishes.wish(tile(row));
    QCOMPARE(wishes.take(1)->row, 7);
    QCOMPARE(wishes.take(2)->row, 6);
    wishes.wish(tile(0));  // wished for again: now the newest
    QCOMPARE(wishes.take(3)->row, 0);
  }

  void stopsWhatIsOfALayerThatWasPassed() {
    TileWishes wishes;
    const auto of = [](std::int32_t layer, std::int32_t head) {
      return TileKey{LayerId(layer), HeadId(head), 0, 0, 0};
    };
    wishes.wishLater({of(9, 0)});
    QVERIFY(wishes.take(1));  // can wait
    wishes.wish(of(3, 0));
    QVERIFY(wishes.overtaken() == std::vector<std::uint64_t>{1});
    QVERIFY(wishes.take(2));
    wishes.wish(of(3, 1));
    QVERIFY(wishes.overtaken().empty());  // the same layer, which is read once for all its heads
    wishes.wish(of(4, 0));
    QVERIFY(wishes.overtaken() == std::vector<std::uint64_t>{2});
    QVERIFY(wishes.overtaken().empty());  // told once
    QCOMPARE(wishes.take(3)->layer.value, 4);
    QVERIFY(wishes.again(2));  // came to nothing, and nobody looks there any more
    QVERIFY(wishes.again(1));  // one that can wait still does
    QCOMPARE(wishes.take(4)->head.value, 1);
    QVERIFY(wishes.answered(3) && wishes.answered(4));
    // Who comes back before the stop is answered still wants it.
    wishes.wish(of(5, 0));
    QVERIFY(wishes.take(7));
    wishes.wish(of(6, 0));
    QVERIFY(wishes.overtaken() == std::vector<std::uint64_t>{7});
    QVERIFY(wishes.take(8));
    wishes.wish(of(5, 0));
    QVERIFY(wishes.again(7) && wishes.answered(8));
    QCOMPARE(wishes.take(9)->layer.value, 5);
    QVERIFY(wishes.answered(9));
    QCOMPARE(wishes.take(5)->layer.value, 9);
    QVERIFY(!wishes.take(6));
  }

  void hasFewOnTheirWay() {
    TileWishes wishes;
    for (int row = 0; row < 8; ++row) wishes.wish(tile(row));
    for (std::uint64_t id = 1; id <= TileWishes::maxOnTheirWay; ++id) QVERIFY(wishes.take(id));
    QVERIFY(!wishes.take(99));
    QVERIFY(wishes.answered(2));
    QVERIFY(!wishes.answered(2));
    QVERIFY(wishes.take(99));
  }

  void doesNotAskTwice() {
    TileWishes wishes;
    wishes.wish(tile(1));
    wishes.wish(tile(1));
    QVERIFY(wishes.take(1));
    wishes.wish(tile(1));  // on its way
    QVERIFY(!wishes.take(2));
    QVERIFY(wishes.answered(1));
    wishes.wish(tile(1));
    QVERIFY(wishes.take(3));
  }

  void thoseThatCanWaitComeInOrderWhenNothingElseIsThere() {
    TileWishes wishes;
    wishes.wishLater({tile(10), tile(11), tile(12)});
    wishes.wish(tile(1));
    wishes.wish(tile(2));
    QCOMPARE(wishes.take(1)->row, 2);
    QCOMPARE(wishes.take(2)->row, 1);
    QVERIFY(!wishes.take(3));  // what is on its way comes first
    QVERIFY(wishes.answered(1));
    QVERIFY(!wishes.take(3));
    QVERIFY(wishes.answered(2));
    QVERIFY(!wishes.take(3, false));  // not now
    QCOMPARE(wishes.take(3)->row, 10);
    QVERIFY(!wishes.take(4));  // one at a time …
    wishes.wish(tile(3));
    QCOMPARE(wishes.take(4)->row, 3);  // … which holds up no other
    wishes.wish(tile(10));             // on its way
    QVERIFY(!wishes.take(5));
    QVERIFY(wishes.answered(4));
    // One that came to nothing is the next one again, behind all others.
    QVERIFY(wishes.again(3));
    wishes.wish(tile(4));
    QCOMPARE(wishes.take(5)->row, 4);
    QVERIFY(wishes.answered(5));
    QCOMPARE(wishes.take(6)->row, 10);
    QVERIFY(wishes.answered(6));
    // Scrolling away forgets wishes, not these; a new list replaces them.
    wishes.dropWaiting();
    QCOMPARE(wishes.take(7)->row, 11);
    QVERIFY(wishes.answered(7));
    wishes.wishLater({tile(20)});
    QCOMPARE(wishes.take(8)->row, 20);
    QVERIFY(wishes.answered(8));
    QVERIFY(!wishes.take(9));
    wishes.wishLater({tile(21)});
    wishes.dropLater();
    QVERIFY(!wishes.take(9));
    wishes.wishLater({tile(21)});
    wishes.clear();
    QVERIFY(!wishes.take(9));
  }

  void forgets() {
    TileWishes wishes;
    for (int row = 0; row < 5000; ++row) wishes.wish(tile(row));
    QCOMPARE(wishes.take(1)->row, 4999);
    wishes.dropWaiting();
    QVERIFY(!wishes.take(2));
    QVERIFY(wishes.answered(1));
    wishes.wish(tile(1));
    wishes.clear();
    QVERIFY(!wishes.take(3));
  }
};

}  // namespace natscope::ui

QTEST_GUILESS_MAIN(natscope::ui::TileWishesTest)
#include "tile_wishes_test.moc"
