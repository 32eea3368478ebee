// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>

#include "ui/models/head_table_model.h"
#include "ui/models/workbench.h"

class QLabel;
class QSortFilterProxyModel;
class QTableView;

namespace natscope::ui {

/// All heads as a sortable table. The current row is the chosen head, here and in every other view; Ctrl+C copies the
/// selected rows (all, where none is selected) as text with tabs and a header, in the order on screen.
class HeadsPanel : public QWidget {
  Q_OBJECT

 public:
  explicit HeadsPanel(Workbench& workbench, QWidget* parent = nullptr);

  [[nodiscard]] QTableView& table() { return *view_; }
  [[nodiscard]] const HeadTableModel& model() const { return *model_; }
  /// What Ctrl+C copies.
  [[nodiscard]] QString selectedText() const;
  void copy() const;

  [[nodiscard]] QSize sizeHint() const override { return {640, 180}; }

 Q_SIGNALS:
  void exportWanted();

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void follow();
  void refresh();
  void showChosenHead();
  void chooseRow(const QModelIndex& current);

  Workbench& workbench_;
  HeadTableModel* model_;
  QSortFilterProxyModel* sorted_;
  QTableView* view_;
  QLabel* words_;
  QTimer pause_;
  bool isFollowing_ = false;  // one of table and selection is being told by the other
};

}  // namespace natscope::ui
