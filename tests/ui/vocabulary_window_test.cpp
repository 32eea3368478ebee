// SPDX-License-Identifier: GPL-3.0-or-later
// The table of the vocabulary in the window, against the real engine and a small random model.
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QLineEdit>
#include <QSortFilterProxyModel>
#include <QSpinBox>
#include <QTableView>
#include <QTest>
#include <cmath>
#include <map>

#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"
#include "ui/panels/search_bar.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

double numberAt(const FigureTable& table, std::size_t row, const char* key) {
  const double* const number = table.at(row, table.column_at(key)).number();
  return number != nullptr ? *number : -1;
}

}  // namespace

class VocabularyWindowTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    QVERIFY(begin(QStringLiteral("The lamp and the room, the lamp and the stairs, and the end.")));
    window_->showVocabulary();
    QTRY_VERIFY_WITH_TIMEOUT(panel().isComplete(), patience);
  }

  void cleanup() { end(); }

  void itCountsWhatIsShown() {
    const FigureTable& table = panel().model().table();
    std::map<std::int32_t, double> occurrences;
    for (const TokenFrame& frame : record().frames()) ++occurrences[frame.token];
    QCOMPARE(table.rows(), occurrences.size());
    double share = 0;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      QCOMPARE(numberAt(table, row, "occurrences"),
               occurrences[static_cast<std::int32_t>(numberAt(table, row, "token"))]);
      share += numberAt(table, row, "cache_share");
    }
    QVERIFY(std::abs(share - 1) < 1e-9);
    QVERIFY(words().contains(QStringLiteral("%1 different tokens among %2").arg(table.rows()).arg(record().size())));
  }

  void nothingIsMarkedBeforeARowIsChosen() {
    QVERIFY(table().hasFocus());
    QVERIFY(!bench().search().token());
    QVERIFY(!window_->findChild<SearchBar*>()->isVisible());
    // What took most of the cache stands first.
    double before = 2;
    for (int row = 0; row < table().model()->rowCount(); ++row) {
      const double share = numberAt(panel().model().table(), static_cast<std::size_t>(sourceRow(row)), "cache_share");
      QVERIFY(share <= before);
      before = share;
    }
    QTest::keyClick(&table(), Qt::Key_Down);
    QVERIFY(bench().search().token());
  }

  void oneHeadAlone() {
    Selection& selection = bench().selection();
    panel().onlyChosenHead().setChecked(true);
    for (const int layer : {0, 1}) {
      selection.setLayer(LayerId(layer));
      QTRY_VERIFY_WITH_TIMEOUT(panel().isComplete(), patience);
      QVERIFY(words().contains(QStringLiteral("in layer %1, KV head %2").arg(layer).arg(selection.kvHead().value)));
      // Of one head the held occurrences are its entries.
      const FigureTable& table = panel().model().table();
      double held = 0;
      for (std::size_t row = 0; row < table.rows(); ++row)
        held += numberAt(table, row, "held_share") * numberAt(table, row, "occurrences");
      const auto index = static_cast<std::size_t>(layer * record().geometry().kv_heads + selection.kvHead().value);
      QVERIFY(std::abs(held - record().frames().back().entries[index]) < 1e-6);
    }
  }

  void aRowMarksItsTokenInTheText() {
    const int times = rowThatOccurs(2);
    QVERIFY(times >= 0);
    table().selectRow(times);
    QVERIFY(window_->findChild<SearchBar*>()->isVisible());
    const auto& search = bench().search();
    QVERIFY(search.token());
    const FigureTable& figures = panel().model().table();
    const auto row = static_cast<std::size_t>(sourceRow(times));
    QCOMPARE(*search.token(), static_cast<std::int32_t>(numberAt(figures, row, "token")));
    QCOMPARE(static_cast<double>(search.matches().size()), numberAt(figures, row, "occurrences"));
    for (const auto& match : search.matches()) QCOMPARE(record().frame(match.first).token, *search.token());
    // The table keeps the row while it is sorted and counted anew.
    const std::int32_t token = *search.token();
    table().sortByColumn(2, Qt::DescendingOrder);
    panel().onlyChosenHead().setChecked(true);
    QTRY_VERIFY_WITH_TIMEOUT(panel().isComplete(), patience);
    QCOMPARE(static_cast<std::int32_t>(
                 numberAt(figures, static_cast<std::size_t>(sourceRow(table().currentIndex().row())), "token")),
             token);
  }

  void rowsAreFiltered() {
    const int all = table().model()->rowCount();
    panel().fewest().setValue(3);
    const int often = table().model()->rowCount();
    QVERIFY(often > 0 && often < all);
    for (int row = 0; row < often; ++row)
      QVERIFY(numberAt(panel().model().table(), static_cast<std::size_t>(sourceRow(row)), "occurrences") >= 3);
    panel().fewest().setValue(1);
    panel().wanted().setText(QStringLiteral("zzz"));
    QCOMPARE(table().model()->rowCount(), 0);
    panel().wanted().clear();
    QCOMPARE(table().model()->rowCount(), all);
    // What is copied is what is seen.
    panel().fewest().setValue(3);
    table().clearSelection();
    QTest::keyClick(&table(), Qt::Key_C, Qt::ControlModifier);
    const QStringList lines = QGuiApplication::clipboard()->text().split(u'\n', Qt::SkipEmptyParts);
    QCOMPARE(lines.size(), 1 + often);
    QVERIFY(lines[0].startsWith(QStringLiteral("token\ttext\toccurrences\t")));
  }

  void itFollowsATextThatIsWritten() {
    const std::size_t before = panel().model().table().rows();
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(!bench().isRunning() && panel().isComplete(), patience);
    const FigureTable& table = panel().model().table();
    double occurrences = 0;
    for (std::size_t row = 0; row < table.rows(); ++row) occurrences += numberAt(table, row, "occurrences");
    QCOMPARE(occurrences, static_cast<double>(record().size()));
    QVERIFY(table.rows() >= before);
  }

 private:
  VocabularyPanel& panel() { return window_->vocabulary(); }
  QTableView& table() { return panel().table(); }
  const SequenceRecord& record() { return bench().sequence().record(); }
  QString words() { return panel().words(); }
  int sourceRow(int row) {
    return qobject_cast<QSortFilterProxyModel*>(table().model())->mapToSource(table().model()->index(row, 0)).row();
  }
  /// The first row on screen whose token occurs at least so often; -1: none.
  int rowThatOccurs(int times) {
    for (int row = 0; row < table().model()->rowCount(); ++row) {
      if (numberAt(panel().model().table(), static_cast<std::size_t>(sourceRow(row)), "occurrences") >= times)
        return row;
    }
    return -1;
  }
};

QTEST_MAIN(VocabularyWindowTest)
#include "vocabulary_window_test.moc"
