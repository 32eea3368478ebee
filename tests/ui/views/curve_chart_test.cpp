// SPDX-License-Identifier: GPL-3.0-or-later
// Charts of a job: what stands on their axes and above them, and where they are at any size of the dock.
#include "ui/views/charts/curve_chart.h"

#include <QFontMetrics>
#include <QPainter>
#include <QScrollArea>
#include <QSignalSpy>
#include <QStandardItemModel>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "tests/ui/models/made_up_jobs.h"
#include "tests/ui/patience.h"
#include "ui/models/jobs/job_list_model.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/job_curves_view.h"
#include "ui/views/charts/plot_library.h"
#include "ui/views/charts/sparse_ticker.h"
#include "ui/views/job_cell_delegate.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

Curve curveOf(int steps, const std::function<double(int)>& value) {
  Curve curve;
  for (int step = 1; step <= steps; ++step) curve.add(step, value(step));
  return curve;
}

QCustomPlot& plotOf(const CurveChart& chart) { return *chart.findChild<QCustomPlot*>(); }

/// Numbers of an axis as they are drawn at the chart's present size.
QStringList labelsOf(const CurveChart& chart, bool isAcross) {
  QCustomPlot& plot = plotOf(chart);
  plot.replot();
  const QCPAxis& axis = isAcross ? *plot.xAxis : *plot.yAxis;
  return axis.tickVectorLabels();
}

}  // namespace

class CurveChartTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { ThemeSwitch::instance().apply(*qApp, Theme::light); }

  void numbersAreShort_data() {
    QTest::addColumn<double>("value");
    QTest::addColumn<QString>("text");
    const std::pair<double, const char*> table[] = {
        {0, "0"},        {3.269, "3.269"}, {9999, "9,999"},       {10000, "10k"}, {68148, "68.15k"}, {999999, "1M"},
        {2.5e6, "2.5M"}, {0.25, "0.25"},   {9.948e-4, "9.95e-4"}, {1e-3, "1e-3"}, {-5e-4, "-5e-4"}};
    for (const auto& [value, text] : table) QTest::addRow("%g", value) << value << QString::fromLatin1(text);
  }
  void numbersAreShort() {
    QFETCH(double, value);
    QFETCH(QString, text);
    QCOMPARE(shortNumber(value), text);
  }

  /// In a chosen row, too: what is done and what is still to do look different.
  void aBarSaysHowFarAJobIs() {
    QStandardItemModel model(1, JobListModel::columns);
    const QModelIndex cell = model.index(0, JobListModel::stepColumn);
    model.setData(cell, 0.25, JobListModel::progressRole);
    model.setData(cell, static_cast<int>(jobs::JobState::running), JobListModel::stateRole);
    for (const Theme theme : {Theme::dark, Theme::light}) {
      ThemeSwitch::instance().apply(*qApp, theme);
      for (const bool isChosen : {false, true}) {
        QTableView view;
        QImage image(200, 30, QImage::Format_RGB32);
        image.fill(isChosen ? colours(theme).accent : colours(theme).panel);
        QStyleOptionViewItem option;
        option.rect = image.rect();
        option.widget = &view;
        if (isChosen) option.state |= QStyle::State_Selected;
        QPainter painter(&image);
        JobCellDelegate().paint(&painter, option, cell);
        painter.end();
        const auto lightness = [&](int x) { return qGray(image.pixel(x, 26)); };
        QVERIFY2(std::abs(lightness(30) - lightness(150)) > 60, qPrintable(QString::number(lightness(150))));
        QVERIFY(image.pixel(150, 26) != image.pixel(150, 15));
      }
    }
  }

  void aChartWithoutPointsSaysSoInItsWidth() {
    CurveChart chart(QStringLiteral("Learning rate"), CurveChart::Scale::tight, QString());
    chart.setLines({});
    chart.show();
    chart.resize(320, 120);
    QTRY_COMPARE(chart.readoutText(), QStringLiteral("Learning rate nothing yet"));
    chart.resize(130, 120);
    QTRY_COMPARE(chart.readoutText(), QStringLiteral("Learning rate –"));
  }

  void theValueIsOfTheStepThatIsSaid() {
    Curve curve;
    for (const int step : {0, 10, 20}) curve.add(step, step == 10 ? 2 : 7);
    CurveChart chart(QStringLiteral("Loss"), CurveChart::Scale::tight, QString());
    chart.resize(500, 160);
    chart.setLines({{QString(), &curve, QPen()}});
    chart.show();
    QVERIFY(QTest::qWaitForWindowExposed(&chart));
    QCustomPlot& plot = plotOf(chart);
    plot.replot();
    for (const double step : {9.7, 10.0, 10.4, 14.0}) {
      const QPoint at(static_cast<int>(std::lround(plot.xAxis->coordToPixel(step))), plot.height() / 2);
      QTest::mouseMove(&plot, at);
      QTRY_COMPARE(chart.readoutText(),
                   QStringLiteral("Loss · step %1 2.000").arg(std::lround(plot.xAxis->pixelToCoord(at.x()))));
    }
  }

  void everyRoleIsSaid() {
    const Curve global = curveOf(50, [](int) { return 0.325; });
    const Curve local = curveOf(50, [](int) { return 0.05; });
    const Curve sliding = curveOf(50, [](int) { return 0.625; });
    CurveChart chart(QStringLiteral("Roles"), CurveChart::Scale::percent, QString());
    chart.setLines({{QStringLiteral("G"), &global, QPen(Qt::red, 2)},
                    {QStringLiteral("L"), &local, QPen(Qt::green, 2, Qt::DashLine)},
                    {QStringLiteral("S"), &sliding, QPen(Qt::blue, 2, Qt::DotLine)}});
    chart.show();  // else nobody tells it of its size
    QVERIFY(QTest::qWaitForWindowExposed(&chart));
    chart.resize(chart.readoutWidth(), 120);
    QCOMPARE(chart.readoutText(), QStringLiteral("Roles ━ G 32.5 ╌ L 5.0 ┈ S 62.5"));
    chart.setTwoLines(true);
    chart.resize(chart.valuesWidth(), 120);
    QCOMPARE(chart.readoutText(), QStringLiteral("Roles ━ G 32.5 ╌ L 5.0 ┈ S 62.5"));
    // What has no room is not cut through.
    chart.resize(chart.valuesWidth() - 30, 120);
    QCOMPARE(chart.readoutText(), QStringLiteral("Roles ━ G 32.5 ╌ L 5.0 …"));
    QVERIFY(chart.toolTip().contains(QStringLiteral("S 62.5")));
  }

  void axesSayTheirUnits() {
    const Curve share = curveOf(400, [](int step) { return step / 400.0; });
    CurveChart chart(QStringLiteral("KV"), CurveChart::Scale::percent, QString());
    chart.setLines({{QString(), &share, QPen(Qt::red)}});
    chart.resize(300, 200);
    chart.show();
    QVERIFY(QTest::qWaitForWindowExposed(&chart));
    QCOMPARE(labelsOf(chart, true).first(), QStringLiteral("step 0"));
    QCOMPARE(labelsOf(chart, false).last(), QStringLiteral("100 %"));
  }

  void numbersOfAnAxisDoNotMeet() {
    for (const int steps : {1, 7, 400, 7000, 123456}) {
      const Curve curve = curveOf(steps, [](int step) { return 1e-3 * step; });
      CurveChart chart(QStringLiteral("Rate"), CurveChart::Scale::fromZero, QString());
      chart.setLines({{QString(), &curve, QPen(Qt::red)}});
      chart.show();
      QVERIFY(QTest::qWaitForWindowExposed(&chart));
      for (int width = 150; width < 700; width += 50) {
        chart.resize(width, 90 + width / 4);
        QCoreApplication::processEvents();
        QCustomPlot& plot = plotOf(chart);
        plot.replot();
        const QFontMetrics metrics(plot.xAxis->tickLabelFont());
        const QStringList labels = plot.xAxis->tickVectorLabels();
        const QVector<double> ticks = plot.xAxis->tickVector();
        QVERIFY(!labels.isEmpty());
        for (int i = 1; i < labels.size(); ++i) {
          const double between = plot.xAxis->coordToPixel(ticks[i]) - plot.xAxis->coordToPixel(ticks[i - 1]);
          const int taken = metrics.horizontalAdvance(labels[i]) + metrics.horizontalAdvance(labels[i - 1]);
          QVERIFY2(between > taken / 2.0 + 3, qPrintable(labels.join(u' ')));
        }
        const QVector<double> heights = plot.yAxis->tickVector();
        for (int i = 1; i < heights.size(); ++i) {
          const double between = plot.yAxis->coordToPixel(heights[i - 1]) - plot.yAxis->coordToPixel(heights[i]);
          QVERIFY2(between > 0.8 * metrics.height(), qPrintable(plot.yAxis->tickVectorLabels().join(u' ')));
        }
      }
    }
  }

  void aSpikeIsMarkedAndFlattensNothing() {
    const auto speed = [](int step) { return step % 100 == 50 ? 68148.0 : 5000.0 + step; };
    const Curve curve = curveOf(400, speed);
    CurveChart chart(QStringLiteral("Tokens/s"), CurveChart::Scale::typical, QString());
    chart.resize(400, 120);
    chart.setLines({{QString(), &curve, QPen(Qt::red)}});
    QCOMPARE(chart.cutPoints(), 4);
    QCOMPARE(chart.points(), 400);
    QCOMPARE(chart.lines(), 1);
    QVERIFY(plotOf(chart).yAxis->range().upper < 10'000);
    QCOMPARE(chart.readoutText(), QStringLiteral("Tokens/s 5,400 ▲ to 68,148"));
    // The quick job of two is no spike.
    const Curve quick = curveOf(20, [](int) { return 60'000.0; });
    chart.setLines({{QString(), &curve, QPen(Qt::red)}, {QString(), &quick, QPen(Qt::blue)}});
    QCOMPARE(chart.cutPoints(), 0);
    QVERIFY(plotOf(chart).yAxis->range().upper > 68'148);
  }

  void everyChartIsInReach_data() {
    QTest::addColumn<int>("width");
    QTest::addColumn<int>("height");
    for (const QSize size : {QSize(200, 120), QSize(622, 220), QSize(860, 160), QSize(860, 330), QSize(1900, 200)})
      QTest::addRow("%dx%d", size.width(), size.height()) << size.width() << size.height();
  }
  void everyChartIsInReach() {
    QFETCH(int, width);
    QFETCH(int, height);
    const QTemporaryDir folder;
    test::write_job(std::filesystem::path(folder.path().toStdString()) / "done", "finished", 40);
    JobDesk desk(folder.path().toStdString());
    JobCurvesView view(desk);
    view.resize(width, height);
    view.show();
    QVERIFY(QTest::qWaitForWindowExposed(&view));
    desk.show(QStringLiteral("done"));
    QTRY_VERIFY_WITH_TIMEOUT(view.points() > 0, patience);
    QCoreApplication::processEvents();
    auto* const scroll = view.findChild<QScrollArea*>();
    int shown = 0;
    for (const CurveChart* const chart : view.charts()) {
      if (chart->isHidden()) continue;
      ++shown;
      QVERIFY(chart->points() > 0);
      QTRY_VERIFY(chart->geometry().right() <= scroll->viewport()->width());
      QTRY_VERIFY(chart->geometry().bottom() <= scroll->widget()->height());
      QTRY_VERIFY(chart->height() >= 80);
    }
    // A job without held-out text has no curves of layers, and never will.
    QCOMPARE(shown, 5);
  }
};

QTEST_MAIN(CurveChartTest)
#include "curve_chart_test.moc"
