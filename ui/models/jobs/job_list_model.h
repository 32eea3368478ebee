// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QSet>

#include "ui/models/jobs/job_reader.h"

namespace natscope::ui {

/// A state's letter and shape, which stand beside its colour, and its word.
struct JobStateSign {
  QString sign;
  QString word;
};
[[nodiscard]] JobStateSign signOf(jobs::JobState state);  ///< no two states have the same sign, or word

/// "1:02:03"; "–" where nothing is known.
[[nodiscard]] QString durationText(std::optional<double> seconds);

/// The list of jobs: a row a job, the last changed first. The first column's check box says whose curves are drawn.
class JobListModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Column { nameColumn, kindColumn, stateColumn, stepColumn, lossColumn, kvColumn, speedColumn, etaColumn };
  static constexpr int columns = etaColumn + 1;
  /// Of the step column: 0 … 1, or nothing where the number of steps is not known.
  static constexpr int progressRole = Qt::UserRole;
  static constexpr int stateRole = Qt::UserRole + 1;  ///< jobs::JobState as an int; -1: cannot be read

  using QAbstractTableModel::QAbstractTableModel;

  /// Rows that stay keep their order, selection and checks, and are all announced as changed; new ones stand before
  /// them.
  void setRows(std::vector<JobRow> rows);
  [[nodiscard]] const std::vector<JobRow>& rows() const { return rows_; }
  [[nodiscard]] const JobRow* find(const QString& name) const;
  [[nodiscard]] int rowOf(const QString& name) const;  ///< -1: none
  [[nodiscard]] const QSet<QString>& checked() const { return checked_; }
  /// The table as lines of text, cells separated by " | ".
  [[nodiscard]] QString asText() const;

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  [[nodiscard]] Qt::ItemFlags flags(const QModelIndex& index) const override;
  bool setData(const QModelIndex& index, const QVariant& value, int role) override;

 Q_SIGNALS:
  void checkedChanged();

 private:
  [[nodiscard]] QString text(const JobRow& row, int column) const;

  std::vector<JobRow> rows_;
  QSet<QString> checked_;
};

}  // namespace natscope::ui
