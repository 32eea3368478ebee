// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/selection.h"

#include <QSignalSpy>
#include <QTest>

using namespace natscope;
using namespace natscope::ui;

class SelectionTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    selection_ = std::make_unique<Selection>();
    selection_->setLimits(3, 8, 4, 100);
  }

  void hoverPreviewsAndPinStays() {
    selection_->pin(TokenPos(5));
    QCOMPARE(selection_->token()->value, 5);
    selection_->hover(TokenPos(9), TokenPos(20));
    QCOMPARE(selection_->token()->value, 9);
    QCOMPARE(selection_->query()->value, 20);
    selection_->hover(std::nullopt);
    QCOMPARE(selection_->token()->value, 5);
    QVERIFY(!selection_->query());
  }

  void shiftClickAddsAndTakesAway() {
    selection_->pin(TokenPos(1));
    selection_->pin(TokenPos(2), true);
    QCOMPARE(selection_->pinned().size(), std::size_t{2});
    QCOMPARE(selection_->token()->value, 2);
    selection_->pin(TokenPos(2), true);
    QCOMPARE(selection_->pinned().size(), std::size_t{1});
    selection_->pin(TokenPos(7));
    QCOMPARE(selection_->pinned().size(), std::size_t{1});
    QVERIFY(selection_->isPinned(TokenPos(7)));
  }

  void clearForgetsEverything() {
    selection_->pin(TokenPos(1));
    selection_->pinQuery(TokenPos(3));
    selection_->hover(TokenPos(2), TokenPos(4));
    QSignalSpy spy(selection_.get(), &Selection::changed);
    selection_->clear();
    QVERIFY(!selection_->token() && !selection_->query() && selection_->pinned().empty());
    QCOMPARE(spy.count(), 1);
    selection_->clear();
    QCOMPARE(spy.count(), 1);
  }

  void whatDoesNotExistNeverGetsIn() {
    selection_->pin(TokenPos(100));
    selection_->pin(TokenPos(-1));
    selection_->hover(TokenPos(1000));
    selection_->pinQuery(TokenPos(100));
    selection_->setLayer(LayerId(3));
    selection_->setHead(HeadId(8));
    QVERIFY(!selection_->token() && !selection_->query());
    QCOMPARE(selection_->layer().value, 0);
    QCOMPARE(selection_->head().value, 0);
  }

  void aShorterSequenceDropsWhatIsGone() {
    selection_->pin(TokenPos(10));
    selection_->pin(TokenPos(90), true);
    selection_->hover(TokenPos(95), TokenPos(99));
    selection_->setLimits(3, 8, 4, 50);
    QCOMPARE(selection_->token()->value, 10);
    QVERIFY(!selection_->query());
    selection_->setLayer(LayerId(2));
    selection_->setLimits(2, 8, 4, 50);
    QCOMPARE(selection_->layer().value, 0);
  }

  void kvHeadFollowsTheQueryHead() {
    selection_->setHead(HeadId(5));
    QCOMPARE(selection_->kvHead().value, 2);
    selection_->setKvHead(KvHeadId(2));  // its own already: the query head stays
    QCOMPARE(selection_->head().value, 5);
    selection_->setKvHead(KvHeadId(3));
    QCOMPARE(selection_->head().value, 6);
  }

  /// Else views would fetch and draw a head between, that nobody asked for.
  void anotherHeadIsOneChange() {
    QSignalSpy heads(selection_.get(), &Selection::headChanged);
    QSignalSpy changes(selection_.get(), &Selection::changed);
    selection_->setLayerAndKvHead(LayerId(2), KvHeadId(3));
    QCOMPARE(selection_->layer().value, 2);
    QCOMPARE(selection_->head().value, 6);
    QCOMPARE(heads.count(), 1);
    selection_->move(-1, 1);
    QCOMPARE(selection_->layer().value, 1);
    QCOMPARE(selection_->head().value, 7);
    QCOMPARE(heads.count(), 2);
    selection_->setLayerAndKvHead(LayerId(0), KvHeadId(3));  // its own already: the query head stays
    QCOMPARE(selection_->layer().value, 0);
    QCOMPARE(selection_->head().value, 7);
    QCOMPARE(heads.count(), 3);
    for (const auto& [layers, across] : {std::pair(-1, 0), {0, 1}, {-1, -1}}) selection_->move(layers, across);
    selection_->setLayerAndKvHead(LayerId(3), KvHeadId(0));
    selection_->setLayerAndKvHead(LayerId(1), KvHeadId(4));
    QCOMPARE(selection_->layer().value, 0);
    QCOMPARE(selection_->head().value, 7);
    QCOMPARE(heads.count(), 3);
    QCOMPARE(changes.count(), 3);
  }

  void aGrowingSequenceIsQuiet() {
    selection_->pin(TokenPos(99));
    QSignalSpy spy(selection_.get(), &Selection::changed);
    selection_->setLimits(3, 8, 4, 101);
    QCOMPARE(spy.count(), 0);
    selection_->pin(TokenPos(100));
    QCOMPARE(selection_->token()->value, 100);
  }

 private:
  std::unique_ptr<Selection> selection_;
};

QTEST_MAIN(SelectionTest)
#include "selection_test.moc"
