// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dock_fit.h"

#include <QTest>

using namespace natscope::ui;

namespace {

DockBox box(const char* name, QRect rect, QSize least = {10, 10}, QSizeF stretch = {1, 1}) {
  return {QLatin1String(name), rect, least, stretch};
}

/// A form beside two views above each other, and a dock below with tabs over it (20 pixels more than a separator's 5).
QList<DockBox> window(int width, int height) {
  const int upper = height - 125;
  const int half = (upper - 5) / 2;
  return {box("form", {0, 0, 100, upper}, {90, 200}, {0, 1}), box("text", {105, 0, width - 105, half}, {50, 40}),
          box("map", {105, half + 5, width - 105, upper - 5 - half}, {50, 40}),
          box("chart", {0, upper + 25, width, 100}, {60, 50}, {1, 0})};
}

}  // namespace

class DockFitTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void tellsHowDocksDivideAWindow() {
    QCOMPARE(divisionOf(window(600, 500)), QStringLiteral("((form|(text/map))/chart)"));
    QCOMPARE(divisionOf({box("one", {3, 4, 5, 6})}), QStringLiteral("one"));
    QVERIFY(!divisionOf({}));
    // Five round a middle: no cut goes through.
    QVERIFY(!divisionOf({box("a", {0, 0, 20, 10}), box("b", {20, 0, 10, 20}), box("c", {10, 20, 20, 10}),
                         box("d", {0, 10, 10, 20}), box("e", {10, 10, 10, 10})}));
    QVERIFY(!fittedSizes({}, window(600, 500)));
    QVERIFY(!fittedSizes({box("one", {3, 4, 5, 6})}, window(600, 500)));
  }

  void theSameRoomGivesTheSameSizes() {
    const QList<DockBox> wanted = window(613, 509);
    const auto sizes = fittedSizes(wanted, wanted);
    QVERIFY(sizes);
    for (qsizetype i = 0; i < wanted.size(); ++i) QCOMPARE(sizes->at(i), wanted[i].rect.size());
  }

  void newRoomGoesWhereItIsOfUse() {
    const auto sizes = fittedSizes(window(600, 500), window(1000, 801));
    QVERIFY(sizes);
    QCOMPARE(sizes->at(0), QSize(100, 676));
    QCOMPARE(sizes->at(1).width(), 895);
    QCOMPARE(sizes->at(1).height() + sizes->at(2).height() + 5, 676);
    QVERIFY(std::abs(sizes->at(1).height() - sizes->at(2).height()) <= 2);
    QCOMPARE(sizes->at(3), QSize(1000, 100));
  }

  void whatIsShownMayLieAnyhow() {
    // The right room, but all of it given to the wrong dock, as Qt does.
    QList<DockBox> shown = window(1000, 801);
    shown[0].rect = {0, 0, 500, 376};
    shown[1].rect = {505, 0, 495, 200};
    shown[2].rect = {505, 205, 495, 171};
    shown[3].rect = {0, 401, 1000, 400};
    QCOMPARE(fittedSizes(window(600, 500), shown), fittedSizes(window(600, 500), window(1000, 801)));
  }

  void nobodyFallsUnderHisLeast() {
    const auto sizes = fittedSizes(window(600, 500), window(600, 300));
    QVERIFY(sizes);
    QCOMPARE(sizes->at(0), QSize(100, 200));  // as low as the form can be
    QCOMPARE(sizes->at(3).height(), 75);      // so the chart gives after all
    const auto narrow = fittedSizes(window(600, 500), window(150, 500));
    QVERIFY(narrow);
    QCOMPARE(narrow->at(1).width(), 50);
    QCOMPARE(narrow->at(0).width(), 95);
  }

  void aLargerLeastIsGivenAndTakenBack() {
    QList<DockBox> shown = window(600, 500);
    shown[3].least = {60, 130};
    const auto sizes = fittedSizes(window(600, 500), shown);
    QVERIFY(sizes);
    QCOMPARE(sizes->at(3).height(), 130);
    QCOMPARE(sizes->at(0).height(), 345);
  }
};

QTEST_APPLESS_MAIN(DockFitTest)
#include "dock_fit_test.moc"
