// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>

#include "ui/models/runs/kept_run.h"
#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"

class QCheckBox;
class QComboBox;
class QCustomPlot;
class QHBoxLayout;
class QCPItemStraightLine;
class QLabel;

namespace natscope::ui {

/// What the chart's axis counts.
enum class CacheAxis : std::uint8_t {
  amount,  ///< MiB, or entries where nobody knows what one costs
  share,   ///< of what full attention would hold after the same token
};

/// The cache's three numbers against tokens: dense (what full attention would hold), live (the rules), allocated
/// (pages). Grows while text is generated; each step costs the new points. Hover reads a step off, click pins its
/// token.
class CacheChartView : public QWidget {
  Q_OBJECT

 public:
  CacheChartView(SequenceModel& sequence, Selection& selection, QWidget* parent = nullptr);

  /// Puts a widget at the right end of the line of numbers.
  void setCorner(QWidget* corner);
  /// Draws a kept run's live curve beside the present one; null: none.
  void setKept(const std::shared_ptr<const KeptRun>& kept);

  void setAxis(CacheAxis axis);
  /// Without the line of full attention the others have the whole height.
  void setDense(bool isShown);
  [[nodiscard]] CacheAxis axis() const { return axis_; }
  /// The largest number on the axis.
  [[nodiscard]] double top() const;
  /// The line of numbers, as rich text.
  [[nodiscard]] QString numbers() const;

  /// Points on each line, and on the kept run's, for tests.
  [[nodiscard]] int points() const;
  [[nodiscard]] int keptPoints() const;
  [[nodiscard]] int allocatedPoints() const;  ///< after the prompt, and after each token that was written
  /// How often the curves were drawn: pointing at a step moves a line over them, and draws none of them anew.
  [[nodiscard]] std::int64_t curvesDrawn() const { return curvesDrawn_; }

  [[nodiscard]] QSize sizeHint() const override { return {520, 180}; }
  /// No dock behind the cache needs more. Where there is less, it is the curves that lose it.
  [[nodiscard]] QSize minimumSizeHint() const override;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void restart();
  void forget();
  void extend();
  void paintInTheme();
  void showStep();
  /// The line of numbers after a token; `leftOut` says how much of it, from nothing to mostLeftOut.
  [[nodiscard]] QString numbersAt(std::size_t at, int leftOut) const;
  [[nodiscard]] bool fits(const QString& words) const;
  void draw();
  void moveCursor();
  void drawKept();
  void drawAnew();
  void setRanges();
  [[nodiscard]] double liveOf(const CacheCounts& counts) const;
  /// Whether the kept run's numbers are in the axis' unit: what its entries cost may not be known.
  [[nodiscard]] bool isKeptKnown() const;
  [[nodiscard]] double denseOf(const CacheCounts& counts) const;
  [[nodiscard]] double allocatedOf(const CacheCounts& counts) const;
  [[nodiscard]] QString unit() const;
  /// The largest of a line's values from a token on.
  [[nodiscard]] double largest(int line, std::int64_t from) const;
  [[nodiscard]] QString amount(double value) const;
  [[nodiscard]] std::optional<TokenPos> stepAt(double x) const;

  SequenceModel& sequence_;
  Selection& selection_;
  QCustomPlot* plot_;
  QCPItemStraightLine* cursor_;
  QLabel* nothing_;
  QLabel* readout_;
  QHBoxLayout* line_;
  QComboBox* axisChoice_;
  QCheckBox* denseChoice_;
  CacheAxis axis_ = CacheAxis::amount;
  std::shared_ptr<const KeptRun> kept_;
  bool isInEntries_ = false;  // what an entry costs is not known: a trace without head_dim
  std::int64_t drawn_ = 0;
  std::int64_t curvesDrawn_ = 0;
  std::int64_t firstAllocated_ = 0;
};

}  // namespace natscope::ui
