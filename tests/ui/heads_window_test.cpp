// SPDX-License-Identifier: GPL-3.0-or-later
// The tables of heads in the window, against the real engine and a small random model.
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QHeaderView>
#include <QMenu>
#include <QProcess>
#include <QTableView>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "tests/ui/patience.h"
#include "tests/ui/window_on_tiny_model.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

/// Entropy, weight on the first token and on itself, distance and what `other` had dropped of a query's weights, the
/// mean over all, from the weights themselves: a tile of zoom 0 has one in each cell.
AttentionSummary meansOf(const AttentionTile& tile, std::span<const std::int32_t> other = {}) {
  AttentionSummary means;
  for (std::int32_t row = 0; row < tile.rows; ++row) {
    for (std::int32_t column = 0; column <= row; ++column) {
      const double weight = tile.maximum[static_cast<std::size_t>(row * tile.columns + column)];
      if (weight > 0) means.entropy -= weight * std::log(weight) / tile.rows;
      if (column == 0) means.sink_weight += weight / tile.rows;
      if (column == row) means.self_weight += weight / tile.rows;
      means.distance += weight * (row - column) / tile.rows;
      const bool isKept = other.empty() || row == column || row <= other[static_cast<std::size_t>(column)];
      if (!isKept) means.lost += weight / tile.rows;
    }
  }
  return means;
}

}  // namespace

class HeadsWindowTest : public WindowTest {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    QVERIFY(begin());
    window_->showHeads();
  }

  void cleanup() { end(); }

  void theTableOfHeadsIsSortedLinkedAndCopied() {
    QTableView& table = panel().table();
    const CacheGeometry geometry = bench().sequence().record().geometry();
    QTRY_COMPARE_WITH_TIMEOUT(table.model()->rowCount(), geometry.layers * geometry.kv_heads, patience);
    // A row chooses its head; a head that is chosen elsewhere is the current row.
    table.selectRow(table.model()->rowCount() - 1);
    QCOMPARE(bench().selection().layer().value, geometry.layers - 1);
    QCOMPARE(bench().selection().kvHead().value, geometry.kv_heads - 1);
    bench().selection().setLayer(LayerId(0));
    bench().selection().setKvHead(KvHeadId(1));
    QCOMPARE(table.currentIndex().row(), 1);
    // Sorted by entries, the most first, the chosen head stays chosen.
    table.sortByColumn(5, Qt::DescendingOrder);
    double before = 1e9;
    for (int row = 0; row < table.model()->rowCount(); ++row) {
      const double entries = table.model()->index(row, 5).data(FigureTableModel::valueRole).toDouble();
      QVERIFY(entries <= before);
      before = entries;
    }
    QCOMPARE(bench().selection().kvHead().value, 1);
    // The clipboard has the rows in the order on screen, under a header.
    table.selectAll();
    QTest::keyClick(&table, Qt::Key_C, Qt::ControlModifier);
    const QStringList lines = QGuiApplication::clipboard()->text().split(u'\n', Qt::SkipEmptyParts);
    QCOMPARE(lines.size(), 1 + table.model()->rowCount());
    QVERIFY(lines[0].startsWith(QStringLiteral("layer\tkv_head\tglobal_share\t")));
    const QStringList cells = lines[1].split(u'\t');
    QCOMPARE(cells.size(), table.model()->columnCount() + 1);  // and whether the life of Locals is cut
    QCOMPARE(cells[5].toDouble(), table.model()->index(0, 5).data(FigureTableModel::valueRole).toDouble());
    // Entries of all heads together are what the cache holds.
    double sum = 0;
    const FigureTable& heads = panel().model().table();
    for (std::size_t row = 0; row < heads.rows(); ++row) sum += *heads.at(row, heads.column_at("entries")).number();
    QCOMPARE(sum, static_cast<double>(bench().sequence().record().frames().back().counts.entries));
  }

  void theTableIsSortedFromTheKeyboard() {
    QTableView& table = panel().table();
    QTRY_VERIFY_WITH_TIMEOUT(table.model()->rowCount() > 1, patience);
    QTRY_VERIFY(table.hasFocus());
    const QString fifth = table.model()->headerData(5, Qt::Horizontal).toString();
    for (const Qt::SortOrder order : {Qt::AscendingOrder, Qt::DescendingOrder}) {
      QContextMenuEvent menuKey(QContextMenuEvent::Keyboard, table.rect().center(), QPoint());
      QApplication::sendEvent(table.viewport(), &menuKey);
      auto* const menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
      QVERIFY(menu != nullptr);
      for (QAction* const action : menu->actions())
        if (action->text().startsWith(QStringLiteral("Sort by ") + fifth)) action->trigger();
      menu->close();
      QCOMPARE(table.horizontalHeader()->sortIndicatorSection(), 5);
      QCOMPARE(table.horizontalHeader()->sortIndicatorOrder(), order);
    }
  }

  void whatHeadsAttendToIsOfTheirWeights() {
    showAttention();
    const Selection& selection = bench().selection();
    const FigureTable& table = panel().model().table();
    QCOMPARE(table.rows(), static_cast<std::size_t>(selection.layers() * selection.heads()));
    QCOMPARE(panel().words(),
             QStringLiteral("%1 heads: means over all %2 queries").arg(table.rows()).arg(bench().sequence().size()));
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const TileKey key{LayerId(static_cast<int>(numberAt(row, "layer"))),
                        HeadId(static_cast<int>(numberAt(row, "head"))), 0, 0, 0};
      QTRY_VERIFY_WITH_TIMEOUT(bench().tiles().tile(key) != nullptr, patience);
      const AttentionSummary means = meansOf(*bench().tiles().tile(key));
      QVERIFY(std::abs(numberAt(row, "entropy") - means.entropy) < 1e-4);
      QVERIFY(std::abs(numberAt(row, "sink_weight") - means.sink_weight) < 1e-5);
      QVERIFY(std::abs(numberAt(row, "self_weight") - means.self_weight) < 1e-5);
      QVERIFY(std::abs(numberAt(row, "distance") - means.distance) < 1e-4);
    }
    QCOMPARE(table.column_at("lost"), table.columns.size());  // nothing is compared with
  }

  void whatTheKeptRunDroppedIsLost() {
    analyseUnder("streaming:1,3");
    window_->comparison().keep();
    showAttention();
    const FigureTable& table = panel().model().table();
    QCOMPARE(table.column_at("lost"), table.columns.size());  // it is the run that is shown
    analyseUnder("full");
    QTRY_VERIFY_WITH_TIMEOUT(isCompared(), patience);
    checkLost();
    // Another one is compared with: everything that is said of the first is gone at once, and comes again.
    const auto streaming = lostOfAll();
    QVERIFY(std::ranges::all_of(streaming, [](double lost) { return lost > 0; }));
    analyseUnder("streaming:1,8");
    window_->comparison().keep();
    analyseUnder("full");
    QTRY_COMPARE_WITH_TIMEOUT(window_->comparison().runs().size(), std::size_t{2}, patience);
    QTRY_VERIFY_WITH_TIMEOUT(isCompared(), patience);
    checkLost();
    const auto wider = lostOfAll();
    for (std::size_t row = 0; row < wider.size(); ++row) QVERIFY(wider[row] < streaming[row]);
    window_->comparison().choose(0);
    QTRY_VERIFY_WITH_TIMEOUT(isComplete() && lostOfAll() == streaming, patience);
    // Of another text nothing is lost, and none is kept in the end.
    window_->comparison().drop();
    window_->comparison().drop();
    QTRY_COMPARE_WITH_TIMEOUT(table.column_at("lost"), table.columns.size(), patience);
    QVERIFY(!panel().words().contains(QStringLiteral("lost")));
  }

  void aRecordingIsComparedWithoutAnEngine() {
    analyseUnder("streaming:1,3");
    window_->comparison().keep();
    const QString trace = tiny_.filePath(QStringLiteral("full.safetensors"));
    QProcess program;
    program.start(
        QStringLiteral(NATSCOPE_BIN_DIR "/natscope-cli"),
        {QStringLiteral("trace"), QStringLiteral("--model"), tiny_.modelFolder(), QStringLiteral("--policy"),
         QStringLiteral("full"), QStringLiteral("--attention"), QStringLiteral("all"), QStringLiteral("--prompt"),
         QLatin1String(WindowOnTinyModel::alice), QStringLiteral("--out"), trace});
    QVERIFY(program.waitForFinished(patience) && program.exitCode() == 0);
    window_->openPath(trace);
    QTRY_VERIFY_WITH_TIMEOUT(bench().recording() != nullptr, patience);
    panel().attentionInstead().setChecked(true);
    QTRY_VERIFY_WITH_TIMEOUT(isCompared(), patience);
    checkLost();
  }

  void aRowIsAQueryHead() {
    showAttention();
    QTableView& table = panel().table();
    Selection& selection = bench().selection();
    table.selectRow(table.model()->rowCount() - 1);
    QCOMPARE(selection.layer().value, selection.layers() - 1);
    QCOMPARE(selection.head().value, selection.heads() - 1);
    selection.setLayer(LayerId(0));
    selection.setHead(HeadId(1));
    QCOMPARE(table.currentIndex().row(), 1);
    // Back at what is kept the row is that of its KV head.
    panel().attentionInstead().setChecked(false);
    QCOMPARE(table.model()->rowCount(), selection.layers() * selection.kvHeads());
    QCOMPARE(table.currentIndex().row(), selection.kvHead().value);
    QVERIFY(panel().words().contains(QStringLiteral("of the cache held")));
  }

  void numbersOfAShorterTextAreNotShown() {
    showAttention();
    // Nothing is fetched for a table that nobody sees.
    panel().attentionInstead().setChecked(false);
    bench().step();
    QTRY_VERIFY_WITH_TIMEOUT(!bench().isRunning(), patience);
    panel().attentionInstead().setChecked(true);
    // Of the longer text there is what the attention map has on screen.
    const auto tokens = static_cast<double>(bench().sequence().size());
    std::size_t known = 0;
    const std::size_t rows = panel().model().table().rows();
    for (std::size_t row = 0; row < rows; ++row) {
      known += numberAt(row, "queries") == tokens ? 1 : 0;
      QVERIFY(numberAt(row, "queries") == tokens || numberAt(row, "entropy") < 0);
    }
    QVERIFY(known < rows);
    QVERIFY(panel().words().startsWith(QStringLiteral("%1 of %2 heads").arg(known).arg(rows)));
    QTRY_VERIFY_WITH_TIMEOUT(isComplete(), patience);
    for (std::size_t row = 0; row < rows; ++row) QCOMPARE(numberAt(row, "queries"), tokens);
  }

  void bothViewsOfAllHeadsGetWhatTheyWant() {
    // One is hidden while the other one still waits: what it waits for comes all the same.
    window_->showOverview();
    panel().attentionInstead().setChecked(true);
    window_->showHeads();
    window_->overview().grid().setSeen(false);
    QTRY_VERIFY_WITH_TIMEOUT(isComplete(), patience);
    const auto [drawn, all] = window_->overview().grid().progress();
    QCOMPARE(drawn, all);  // one set of maps for both
  }

 private:
  HeadsPanel& panel() { return window_->heads(); }
  void analyseUnder(const char* policy) {
    PromptOptions options = bench().options();
    options.policy = QLatin1String(policy);
    bench().setOptions(options);
    bench().analyse();
    QTRY_VERIFY_WITH_TIMEOUT(bench().canAnalyse() && bench().client().policy() == policy, patience);
  }
  /// Every row's number against the weights and the kept run's drops.
  void checkLost() {
    const FigureTable& table = panel().model().table();
    const SequenceRecord& kept = window_->comparison().kept()->record;
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const LayerId layer(static_cast<int>(numberAt(row, "layer")));
      const TileKey key{layer, HeadId(static_cast<int>(numberAt(row, "head"))), 0, 0, 0};
      QTRY_VERIFY_WITH_TIMEOUT(bench().tiles().tile(key) != nullptr, patience);
      const KvHeadId kvHead(static_cast<int>(numberAt(row, "kv_head")));
      const AttentionSummary means = meansOf(*bench().tiles().tile(key), kept.last_query(layer, kvHead));
      QVERIFY2(std::abs(numberAt(row, "lost") - means.lost) < 1e-5,
               qPrintable(QStringLiteral("%1 %2").arg(numberAt(row, "lost")).arg(means.lost)));
      QCOMPARE(numberAt(row, "compared_queries"), static_cast<double>(bench().sequence().size()));
    }
  }
  std::vector<double> lostOfAll() {
    std::vector<double> lost;
    for (std::size_t row = 0; row < panel().model().table().rows(); ++row) lost.push_back(numberAt(row, "lost"));
    return lost;
  }
  /// With the run that is kept now.
  bool isCompared() {
    return isComplete() && panel().words().contains(QStringLiteral("lost: what ") + window_->comparison().kept()->name);
  }
  bool isComplete() { return panel().words().contains(QStringLiteral("heads: means over")); }
  void showAttention() {
    panel().attentionInstead().setChecked(true);
    QTRY_VERIFY_WITH_TIMEOUT(isComplete(), patience);
  }
  /// -1 where there is nothing.
  double numberAt(std::size_t row, const char* key) {
    const FigureTable& table = panel().model().table();
    if (table.column_at(key) == table.columns.size()) return -1;
    const double* const number = table.at(row, table.column_at(key)).number();
    return number != nullptr ? *number : -1;
  }
};

QTEST_MAIN(HeadsWindowTest)
#include "heads_window_test.moc"
