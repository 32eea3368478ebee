// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "ui/models/runs/run_list.h"

class QCustomPlot;
class QLabel;

namespace natscope::ui {

/// Runs of one text as points: perplexity over KV fraction. Policies of a family have one colour and mark, and a line
/// where they are several; a ring is round the run that is shown, and the one that is compared with has a thinner one.
/// A click chooses a run.
class TradeOffView : public QWidget {
  Q_OBJECT

 public:
  explicit TradeOffView(QWidget* parent = nullptr);

  /// What the points of a policy look like: series_look.h.
  [[nodiscard]] static std::size_t lookOf(const RunRow& run);

  /// Rows of another text, and such without a perplexity, have no point.
  void setRows(const std::vector<RunList::Row>& rows);
  [[nodiscard]] int points() const { return static_cast<int>(points_.size()); }
  /// Where a row's point lies in this widget; nothing where it has none.
  [[nodiscard]] std::optional<QPoint> pointOf(std::size_t row) const;
  /// What is said of the point under the mouse.
  [[nodiscard]] QString wordsAt(QPoint at) const;

 Q_SIGNALS:
  void rowChosen(std::size_t row);

 protected:
  bool event(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  struct Point {
    std::size_t row = 0;
    double kv = 0;  // percent
    double perplexity = 0;
    int look = -1;
    QString model;
    QString name;
    bool isShown = false;
    bool isCompared = false;
  };

  [[nodiscard]] QPointF pixelOf(const Point& point) const;
  [[nodiscard]] const Point* nearest(QPointF at) const;
  void drawFamilies();
  void fitRange();
  void paintInTheme();

  QCustomPlot* plot_;
  QLabel* nothing_;
  std::vector<Point> points_;
};

}  // namespace natscope::ui
