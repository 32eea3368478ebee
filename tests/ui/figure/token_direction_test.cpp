// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens that are read from the right stand so, line by line, in a text and in its figure.
#include "ui/figure/token_direction.h"

#include <QStringList>
#include <QTest>
#include <algorithm>
#include <numeric>

#include "ui/figure/figure_painter.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/token_flow.h"
#include "ui/figure/token_label.h"

using namespace natscope::ui;

namespace {

const QString shalom = QStringLiteral("שלום");
const QString olam = QStringLiteral(" עולם");
const QString yom = QStringLiteral(" יום");

TokenFlow flowOf(const QStringList& tokens, double width) {
  TokenFlow flow{QFontMetricsF(figureFont(9))};
  flow.setWidth(width);
  for (const QString& token : tokens) flow.append(token);
  return flow;
}

/// A line's tokens from left to right, by their place in the text.
QString order(const TokenFlow& flow, int line = 0) {
  std::vector<std::size_t> tokens;
  for (std::size_t i = 0; i < flow.size(); ++i) {
    if (std::lround(flow.rectOf(i).top() / flow.lineHeight()) == line) tokens.push_back(i);
  }
  std::ranges::sort(tokens, {}, [&](std::size_t i) { return flow.rectOf(i).left(); });
  QStringList words;
  for (const std::size_t i : tokens) words << QString::number(i);
  return words.join(u' ');
}

}  // namespace

class TokenDirectionTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void aTokenIsReadAsItsFirstLetter() {
    QVERIFY(directionOf(QStringLiteral(" a")) == TokenDirection::leftToRight);
    QVERIFY(directionOf(QStringLiteral(" (שa")) == TokenDirection::rightToLeft);
    QVERIFY(directionOf(QStringLiteral("مر")) == TokenDirection::rightToLeft);
    QVERIFY(directionOf(QStringLiteral(" 12")) == TokenDirection::number);
    QVERIFY(directionOf(QStringLiteral(", ")) == TokenDirection::neutral);
    QVERIFY(directionOf(QString()) == TokenDirection::neutral);
    QVERIFY(directionOf(QStringLiteral("𐤀")) == TokenDirection::rightToLeft);  // beyond 16 bits
  }

  void aRunInAnEnglishTextIsTurnedRound() {
    const TokenFlow flow = flowOf({QStringLiteral("He"), QStringLiteral(" said"), QStringLiteral(" "), shalom, olam,
                                   QStringLiteral(","), yom, QStringLiteral(" and"), QStringLiteral(" left")},
                                  1000);
    QCOMPARE(order(flow), QStringLiteral("0 1 2 6 5 4 3 7 8"));
    QVERIFY(flow.isReadFromRight(4) && !flow.isReadFromRight(1) && !flow.isRightToLeft(4));
    QCOMPARE(flow.rectOf(0).left(), 0.0);
    for (std::size_t i = 0; i < flow.size(); ++i) QCOMPARE(flow.tokenAt(flow.rectOf(i).center()), std::optional(i));
  }

  void aHebrewParagraphBeginsAtTheRight() {
    const QStringList tokens{
        QStringLiteral("("),    shalom, QStringLiteral(" 1"), QStringLiteral("2"),  QStringLiteral(" Alice"),
        QStringLiteral(" was"), olam,   QStringLiteral("."),  QStringLiteral("\n"), QStringLiteral("Then"),
        QStringLiteral(" not")};
    const TokenFlow flow = flowOf(tokens, 1000);
    // Numbers and Latin words within it are read from the left, and the full stop is its end.
    QCOMPARE(order(flow), QStringLiteral("8 7 6 4 5 2 3 1 0"));
    QVERIFY(std::abs(flow.rectOf(0).right() - 1000) < 1e-6);
    QVERIFY(flow.isRightToLeft(0) && flow.isRightToLeft(4) && !flow.isReadFromRight(4));
    // The next one is its own.
    QCOMPARE(order(flow, 1), QStringLiteral("9 10"));
    QVERIFY(!flow.isRightToLeft(9) && flow.rectOf(9).left() < 1e-6);
  }

  /// However it came: token by token, at another width before, or with its first letter lines after its beginning.
  void placesDoNotDependOnTheWay() {
    QStringList tokens;
    for (int i = 0; i < 30; ++i) tokens << QStringLiteral(" …");
    for (int i = 0; i < 60; ++i) tokens << (i % 7 == 3 ? QStringLiteral(" Tweedledum") : i % 5 == 2 ? olam : yom);
    for (const double width : {60.0, 131.0, 300.0}) {
      const TokenFlow grown = flowOf(tokens, width);
      TokenFlow turned = flowOf(tokens, 77);
      turned.setWidth(width);
      for (std::size_t i = 0; i < grown.size(); ++i) {
        QCOMPARE(turned.rectOf(i), grown.rectOf(i));
        QCOMPARE(turned.isReadFromRight(i), grown.isReadFromRight(i));
        QVERIFY(grown.isRightToLeft(i));
        // Neither over another one nor outside.
        QCOMPARE(grown.tokenAt(grown.rectOf(i).center()), std::optional(i));
        QVERIFY(grown.rectOf(i).left() >= 0);
      }
    }
  }

  void aBreakHasOneSignWhateverTheTokenIsKnownBy() {
    QCOMPARE(tokenLabelOfName(QStringLiteral("\\n")), tokenLabel(QStringLiteral("\n")));
    QCOMPARE(tokenLabelOfName(QStringLiteral(" a\\tb")), tokenLabel(QStringLiteral(" a\tb")));
    QCOMPARE(tokenLabelOfName(QStringLiteral("<0x0A>")), QStringLiteral("<0x0A>"));
  }

  void whereNoTokenStandsTheNearestIsFound() {
    const TokenFlow flow =
        flowOf({QStringLiteral("a"), QStringLiteral(" b"), QStringLiteral("\n"), QStringLiteral("c")}, 1000);
    const QPointF beyond(900, 1.5 * flow.lineHeight());
    QVERIFY(!flow.tokenAt(beyond));
    QCOMPARE(flow.tokenNearest(beyond), std::optional(std::size_t{3}));
    QVERIFY(!flow.tokenNearest({10, -5}) && !flow.tokenNearest({10, 3 * flow.lineHeight()}));
  }
};

QTEST_MAIN(TokenDirectionTest)
#include "token_direction_test.moc"
