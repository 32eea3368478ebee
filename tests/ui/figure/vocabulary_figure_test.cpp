// SPDX-License-Identifier: GPL-3.0-or-later
#include <QImage>
#include <QTest>
#include <algorithm>
#include <array>

#include "core/export/colour_map.h"
#include "core/export/vocabulary_table.h"
#include "tests/ui/figure/some_figures.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

namespace {

VocabularyItem item(std::int32_t token, const char* text, std::array<std::int64_t, role_count> steps) {
  VocabularyItem made;
  made.token = token;
  made.text = text;
  made.occurrences = 12 + token;
  made.role_cells = {1, 1, 1};
  made.role_steps = steps;
  return made;
}

FigureData vocabulary(const std::vector<VocabularyItem>& items, const std::string& policy = "model") {
  FigureData figure{FigureKind::vocabulary, {}, {}, {}, someProvenance()};
  figure.provenance.policy = policy;
  std::int64_t all = 0;
  for (const VocabularyItem& each : items) all += each.held_steps();
  figure.values = vocabulary_table(items, all, policy, {});
  return figure;
}

/// How many pixels of each role's colour a row of the picture has.
std::array<int, role_count> pixels(const QImage& image, int y) {
  std::array<int, role_count> counts{};
  for (int x = 0; x < image.width(); ++x) {
    for (std::size_t role = 0; role < counts.size(); ++role) {
      const Rgb colour = role_colour(static_cast<Role>(role), Theme::light);
      if (image.pixel(x, y) == qRgb(colour.red, colour.green, colour.blue)) ++counts[role];
    }
  }
  return counts;
}

}  // namespace

class VocabularyFigureTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void barsAreAsLongAsTheSharesOfTheirRoles() {
    const FigureData figure = vocabulary({item(1, " the", {400, 200, 0}), item(2, "\n", {0, 0, 400})});
    const auto png = renderFigure(figure, FigureFormat::png, {.dpi = 288});
    QVERIFY(png);
    const QImage image = QImage::fromData(*png);
    std::array<int, role_count> first{};
    std::array<int, role_count> second{};
    for (int y = 0; y < image.height(); ++y) {
      const auto counts = pixels(image, y);
      if (counts[0] > first[0]) first = counts;
      if (counts[0] == 0 && counts[2] > second[2]) second = counts;
    }
    QVERIFY(first[0] > 300);
    QVERIFY(std::abs(first[0] - 2 * first[1]) <= 6);
    QVERIFY(std::abs(first[0] - second[2]) <= 6);
    QCOMPARE(first[2], 0);
    QCOMPARE(second[1], 0);
  }

  void itSaysWhichTokensAndHowOften() {
    FigureData figure = vocabulary({item(1, " the", {400, 200, 0}), item(2, "\n", {0, 0, 400})});
    QStringList texts = textsOf(renderFigure(figure, FigureFormat::svg, {}));
    for (const char* words : {"·the", "⏎", "13 ×", "14 ×", "share of the cache, %", "as global", "60",
                              "What the cache is made of, in all heads"}) {
      QVERIFY2(texts.contains(QString::fromUtf8(words)), qPrintable(texts.join(u'|')));
    }
    figure.head = MapId{LayerId(1), HeadId(3)};
    texts = textsOf(renderFigure(figure, FigureFormat::svg, {}));
    QVERIFY(texts.contains(QStringLiteral("What the cache is made of, layer 1, head 3")));
  }

  void ofManyTokensTheFirstAreDrawn() {
    std::vector<VocabularyItem> items;
    for (int i = 0; i < 50; ++i) items.push_back(item(i, " word", {1000 - i, 0, 0}));
    const FigureData figure = vocabulary(items);
    const QStringList texts = textsOf(renderFigure(figure, FigureFormat::svg, {}));
    QCOMPARE(texts.count(QStringLiteral("·word")), 30);
    QVERIFY(texts.join(u' ').contains(QStringLiteral("the first 30 of 50 tokens")));
    // In a journal's column, too.
    const auto png = renderFigure(figure, FigureFormat::png, {.dpi = 254, .width = 89 * pointsAMillimetre});
    QVERIFY(png);
    QCOMPARE(QImage::fromData(*png).width(), 890);
  }

  void withoutRolesABarHasOneColour() {
    const FigureData figure = vocabulary({item(1, " the", {400, 0, 0})}, "h2o:2,2");
    const auto svg = renderFigure(figure, FigureFormat::svg, {});
    QVERIFY(svg);
    QVERIFY(!textsOf(svg).contains(QStringLiteral("as global")));
    QVERIFY(!renderFigure(vocabulary({}), FigureFormat::svg, {}));
  }
};

QTEST_MAIN(VocabularyFigureTest)
#include "vocabulary_figure_test.moc"
