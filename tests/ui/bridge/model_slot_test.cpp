// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/model_slot.h"

#include <QtTest>

namespace natscope::ui::test {
namespace {

OpenMessage folder(const char* path) {
  OpenMessage request;
  request.model = path;
  return request;
}

ModelDescription described(const char* path) {
  ModelDescription model;
  model.path = path;
  return model;
}

/// One in which `path` was opened by request 1.
ModelSlot holding(const char* path) {
  ModelSlot slot;
  slot.want(folder(path), 1);
  slot.wasSent(1);
  slot.opened(1, described(path));
  return slot;
}

}  // namespace

class ModelSlotTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void opensAndKnowsItAgainInAnotherEngine() {
    ModelSlot slot;
    QVERIFY(!slot.openingInANewEngine());
    slot = holding("a");
    QCOMPARE(slot.model()->path, std::string("a"));
    QCOMPARE(slot.openedBy(), 1U);
    QVERIFY(slot.identified(1, "digest"));

    slot.engineIsGone();
    QCOMPARE(slot.model()->path, std::string("a"));  // what is shown is still its
    const auto opening = slot.openingInANewEngine();
    QVERIFY(opening && opening->isAgain);
    QCOMPARE(opening->request.model, std::string("a"));
    slot.wasSent(7);
    QCOMPARE(slot.whatOpened(7), ModelSlot::Opened::again);
    slot.opened(7, described("a"));
    QCOMPARE(slot.openedBy(), 1U);
    QCOMPARE(slot.model()->sha256, std::string("digest"));
    QVERIFY(!slot.identified(1, "of the lost engine"));
    QVERIFY(slot.identified(7, "digest"));
  }

  /// The one that is wanted comes first, however many engines die before it is open.
  void anEngineThatDiedOpensWhatWasWanted() {
    ModelSlot slot = holding("a");
    slot.want(folder("b"), 5);
    slot.wasSent(2);
    for (int i = 0; i < 3; ++i) {
      slot.engineIsGone();
      const auto opening = slot.openingInANewEngine();
      QVERIFY(opening && !opening->isAgain);
      QCOMPARE(opening->request.model, std::string("b"));
      QCOMPARE(opening->generation, 5U);
    }
    QVERIFY(slot.giveUp());
    QCOMPARE(slot.openingInANewEngine()->request.model, std::string("a"));
    // And should that be the one which kills them, nothing is left to open.
    QVERIFY(!slot.giveUp());
    slot.forget();
    QVERIFY(!slot.model());
    QVERIFY(!slot.openingInANewEngine());
  }

  void whatIsRefusedLeavesTheOpenOne() {
    ModelSlot slot = holding("a");
    slot.want(folder("b"), 2);
    slot.wasSent(2);
    QCOMPARE(slot.refused(1, true), ModelSlot::Refused::outOfDate);
    QCOMPARE(slot.refused(2, true), ModelSlot::Refused::stays);
    QCOMPARE(slot.model()->path, std::string("a"));

    slot.want(folder("c"), 3);
    slot.wasSent(3);
    QCOMPARE(slot.refused(3, false), ModelSlot::Refused::mustOpenAgain);
    QVERIFY(slot.openAgain().isAgain);
    slot.wasSent(4);
    QCOMPARE(slot.refused(4, false), ModelSlot::Refused::nothingIsLeft);

    ModelSlot empty;
    empty.want(folder("d"), 1);
    empty.wasSent(1);
    QCOMPARE(empty.refused(1, true), ModelSlot::Refused::nothingIsLeft);
  }

  /// Two are asked for one after another: the engine opened the first, which nobody wants any more, and refuses the
  /// second. That "its model stands" is then true of the wrong one.
  void aModelThatIsOutOfDateIsNotTheOpenOne() {
    ModelSlot slot = holding("a");
    slot.want(folder("b"), 2);
    slot.wasSent(2);
    slot.want(folder("c"), 3);
    slot.wasSent(3);
    QCOMPARE(slot.whatOpened(2), ModelSlot::Opened::outOfDate);
    slot.opened(2, described("b"));
    QCOMPARE(slot.model()->path, std::string("a"));
    QVERIFY(!slot.identified(2, "b's"));
    QCOMPARE(slot.refused(3, true), ModelSlot::Refused::mustOpenAgain);
    QCOMPARE(slot.openAgain().request.model, std::string("a"));
  }
};

}  // namespace natscope::ui::test

QTEST_GUILESS_MAIN(natscope::ui::test::ModelSlotTest)
#include "model_slot_test.moc"
