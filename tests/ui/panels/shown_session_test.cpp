// SPDX-License-Identifier: GPL-3.0-or-later
// Panels over a session without a model: what a sorted table shows first, which part of a map is exported.
#include <QApplication>
#include <QComboBox>
#include <QHeaderView>
#include <QScrollBar>
#include <QSpinBox>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

#include "tests/ui/panels/made_up_session.h"
#include "ui/models/runs/run_comparison.h"
#include "ui/panels/export_dialog.h"
#include "ui/panels/heads_panel.h"
#include "ui/theme/theme.h"

using namespace natscope;
using namespace natscope::ui;

class ShownSessionTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    ThemeSwitch::instance().apply(*qApp, Theme::light);
    settings_ = std::make_unique<Settings>(folder_.filePath(QStringLiteral("settings-%1.ini").arg(++runs_)));
    workbench_ = std::make_unique<Workbench>(*settings_);
    workbench_->showSession(madeUpSession(
        20, 4, 60, [](std::int32_t) { return 0.25; }, 60));
  }

  void cleanup() { workbench_.reset(); }

  void aSortedTableShowsItsExtreme() {
    RunComparison comparison(*workbench_);
    HeadsPanel panel(*workbench_, comparison);
    panel.resize(600, 200);
    panel.show();
    QTableView& table = panel.table();
    QCOMPARE(table.model()->rowCount(), 80);
    workbench_->selection().setLayerAndHead(LayerId(19), HeadId(3));
    QVERIFY(table.verticalScrollBar()->value() > 0);
    for (const int column : {2, 5, 5, 0}) {
      table.verticalScrollBar()->setValue(table.verticalScrollBar()->maximum());
      QTest::mouseClick(table.horizontalHeader()->viewport(), Qt::LeftButton, Qt::NoModifier,
                        QPoint(table.columnViewportPosition(column) + 20, 8));
      QCOMPARE(table.horizontalHeader()->sortIndicatorSection(), column);
      QTRY_COMPARE(table.verticalScrollBar()->value(), 0);
    }
    QCOMPARE(workbench_->selection().layer().value, 19);  // sorting chooses nobody else
  }

  void positionsOfAnExportCanBeTyped() {
    ShownMap shown;
    shown.queries = {10, 30};
    shown.keys = {0, 20};
    shown.tokens = 60;
    ExportDialog dialog(shown, FigureKind::attention, Theme::light, folder_.path(), {}, nullptr);
    auto* const part = dialog.findChild<QComboBox*>(QStringLiteral("part"));
    const auto field = [&](const char* name) { return dialog.findChild<QSpinBox*>(QLatin1String(name)); };
    const QString path = folder_.filePath(QStringLiteral("x.png"));
    QVERIFY((dialog.request(path).queries == PositionRange{10, 30}));
    QCOMPARE(field("firstQuery")->value(), 10);
    QCOMPARE(field("lastQuery")->value(), 29);
    QVERIFY(!field("firstQuery")->isEnabled());
    part->setCurrentIndex(1);
    QVERIFY((dialog.request(path).queries == PositionRange{0, 60}));
    QVERIFY((dialog.request(path).keys == PositionRange{0, 60}));
    part->setCurrentIndex(2);
    QVERIFY(field("firstQuery")->isEnabled());
    QVERIFY((dialog.request(path).queries == PositionRange{0, 60}));  // they begin with what was chosen before
    field("firstQuery")->setValue(41);
    field("lastQuery")->setValue(41);
    field("firstKey")->setValue(33);
    field("lastKey")->setValue(7);
    QVERIFY((dialog.request(path).queries == PositionRange{41, 42}));
    QVERIFY((dialog.request(path).keys == PositionRange{7, 34}));  // in whichever order they are typed
    QVERIFY2(dialog.command().contains(QStringLiteral("--queries 41:42 --keys 7:34")), qPrintable(dialog.command()));
    field("lastKey")->setValue(1000);
    QCOMPARE(field("lastKey")->value(), 59);
  }

 private:
  QTemporaryDir folder_;
  std::unique_ptr<Settings> settings_;
  std::unique_ptr<Workbench> workbench_;
  int runs_ = 0;
};

QTEST_MAIN(ShownSessionTest)
#include "shown_session_test.moc"
