// SPDX-License-Identifier: GPL-3.0-or-later
#include <QImageReader>
#include <QTest>

#include "tests/ui/figure/some_figures.h"
#include "ui/figure/prepare_figures.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

class TextFigureTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void aTextIsTextWithItsLegend() {
    const auto shown = [](const FigureData& figure) { return textsOf(renderFigure(figure, FigureFormat::svg, {})); };
    const QStringList roles = shown(text(true));
    QVERIFY(roles.contains(QStringLiteral("Token roles, layer 3, head 5")));
    QVERIFY(roles.contains(QStringLiteral("pale: dropped by the end")));
    // Tokens 2 … 41 in their order, with nothing of the others.
    QStringList words = roles.filter(QStringLiteral("word"));
    QCOMPARE(words.size(), 35);
    QCOMPARE(words.front().trimmed(), QStringLiteral("word2"));
    QCOMPARE(words.back().trimmed(), QStringLiteral("word41"));
    QVERIFY(roles.contains(QStringLiteral(" <a&b>")) || roles.contains(QStringLiteral("<a&b>")));
    QVERIFY(shown(text(false)).contains(QStringLiteral("by all heads")));
    QVERIFY(shown(text(true, false)).contains(QStringLiteral("dropped by the end (H2O has no roles)")));
  }

  void lossesHaveALegendAndTheirNumbers() {
    const FigureData figure = losses(false);
    const auto svg = renderFigure(figure, FigureFormat::svg, {});
    const QStringList texts = textsOf(svg);
    for (const char* words : {"Loss of each token", "0", "4", "≥ 8 nats", "not known"})
      QVERIFY2(texts.contains(QString::fromUtf8(words)), words);
    const auto png = renderFigure(figure, FigureFormat::png, {.dpi = 72});
    const QStringList numbers = QImage::fromData(*png).text(QStringLiteral("losses")).split(u',');
    const auto& shown = std::get<LossText>(figure.values);
    QCOMPARE(numbers.size(), static_cast<qsizetype>(shown.losses.size()));
    QVERIFY(numbers[0].isEmpty());
    QCOMPARE(numbers[7].toDouble(), shown.losses[7]);  // every digit
    FigureOptions options;
    options.scale.range = FixedRange{1, 3};
    const QStringList fixed = textsOf(renderFigure(figure, FigureFormat::svg, options));
    QVERIFY(fixed.contains(QStringLiteral("≤ 1")) && fixed.contains(QStringLiteral("≥ 3 nats")));
    QVERIFY(renderFigure(figure, FigureFormat::svg, options)->contains("1:3"));
  }

  void differencesSayWhoIsWorse() {
    const QStringList texts = textsOf(renderFigure(losses(true), FigureFormat::svg, {}));
    for (const char* words : {"≤ −0.5 nats: better", "−0.25", "≥ +0.5 nats: worse", "not compared"})
      QVERIFY2(texts.contains(QString::fromUtf8(words)), words);
    // A title of one's own says no names: then the legend does.
    FigureOptions titled;
    titled.title = QStringLiteral("What H2O loses");
    titled.names = {QStringLiteral("Ours"), QStringLiteral("Theirs")};
    const QStringList named = textsOf(renderFigure(losses(true), FigureFormat::svg, titled));
    for (const char* words : {"What H2O loses", "≤ −0.5 nats: better than Theirs", "≥ +0.5 nats: worse than Theirs"})
      QVERIFY2(named.contains(QString::fromUtf8(words)), words);
    FigureData bad = losses(true);
    std::get<LossText>(bad.values).other_losses.pop_back();
    QCOMPARE(renderFigure(bad, FigureFormat::svg, {}).error().code, ErrorCode::bad_arrays);
  }
};

QTEST_MAIN(TextFigureTest)
#include "text_figure_test.moc"
