// SPDX-License-Identifier: GPL-3.0-or-later
// Tiles that can wait: behind what is on screen and the run, and compared with another run.
#include <QtTest>
#include <algorithm>

#include "tests/ui/bridge/client_watch.h"
#include "tests/ui/bridge/fake_engine.h"

namespace natscope::ui::test {

class EngineClientTilesTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void tilesThatCanWaitWaitForTheRunAndForOthers() {
    ClientWatch watch(fake(QStringLiteral("slow_tiles"), 20));
    QVERIFY(watch.makeReady("m", "abcde"));
    watch.client.requestTilesLater({tile(0), tile(1), tile(2), tile(3), tile(4)});
    QVERIFY(ClientWatch::waitFor([&] { return !watch.tiles.empty(); }));
    watch.client.requestTile(tile(9));  // overtakes all but the one that is on its way
    watch.client.dropPendingTiles();    // of what waits on screen there is nothing
    QVERIFY(ClientWatch::waitFor([&] { return watch.tiles.size() == 6; }));
    std::vector<int> rows;
    for (const AttentionTile& each : watch.tiles) rows.push_back(each.key.row);
    const auto ninth = std::find(rows.begin(), rows.end(), 9);
    QVERIFY(ninth - rows.begin() <= 2);
    rows.erase(ninth);
    QCOMPARE(rows, (std::vector<int>{0, 1, 2, 3, 4}));

    ClientWatch busy(fake(QStringLiteral("slow"), 2));
    QVERIFY(busy.makeReady("m", "abcde"));
    busy.client.generate(tokens(100));
    busy.client.requestTilesLater({tile(0), tile(1), tile(2)});
    QVERIFY(ClientWatch::waitFor([&] { return busy.client.record().size() > 20; }));
    busy.client.requestTile(tile(7));  // what is on screen is drawn meanwhile
    QVERIFY(ClientWatch::waitFor([&] { return !busy.tiles.empty(); }));
    QCOMPARE(busy.tiles[0].key.row, 7);
    QVERIFY(busy.waitForEvent(QStringLiteral("finished")));
    QCOMPARE(busy.tiles.size(), std::size_t{1});
    QVERIFY(ClientWatch::waitFor([&] { return busy.tiles.size() == 4; }));
    // A new text forgets them, and so does an empty list.
    busy.client.requestTilesLater({tile(3), tile(4)});
    busy.client.requestTilesLater({});
    busy.client.requestTilesLater({tile(5), tile(6)});
    busy.client.analyse({std::string("another"), {}, 512, 0});
    busy.events.clear();
    QVERIFY(busy.waitForEvent(QStringLiteral("analysed")));
    QTest::qWait(50);
    QVERIFY(busy.tiles.size() <= 5);  // one may have been on its way
    QVERIFY(busy.errors.empty());
  }

  /// What can wait is compared with the run that was given last, what is on screen with none.
  void tilesThatCanWaitAreComparedWithAnotherRun() {
    ClientWatch watch(fake(QStringLiteral("slow_tiles"), 20));
    QVERIFY(watch.makeReady("m", "abcde"));
    OtherRun other{7, watch.client.record(), watch.client.record().geometry().kv_heads, 4};
    watch.client.requestTilesLater({tile(0), tile(1)}, other);
    QVERIFY(ClientWatch::waitFor([&] { return !watch.tiles.empty(); }));
    other.id = 8;
    other.tokens = 3;
    watch.client.requestTilesLater({tile(0)}, other);
    QVERIFY(ClientWatch::waitFor([&] {
      return std::ranges::any_of(watch.tiles, [](const AttentionTile& each) { return each.compared_run == 8; });
    }));
    for (const AttentionTile& each : watch.tiles) {
      QVERIFY(each.compared_run == 7 || each.compared_run == 8);
      QCOMPARE(each.summary->compared_queries, each.compared_run == 7 ? 4 : 3);  // as many as it was told of
    }
    const std::size_t before = watch.tiles.size();
    watch.client.requestTile(tile(5));
    QVERIFY(ClientWatch::waitFor([&] { return watch.tiles.size() > before; }));
    QCOMPARE(watch.tiles.back().compared_run, std::uint64_t{0});
    QVERIFY(watch.errors.empty());
  }
};

}  // namespace natscope::ui::test

QTEST_GUILESS_MAIN(natscope::ui::test::EngineClientTilesTest)
#include "engine_client_tiles_test.moc"
