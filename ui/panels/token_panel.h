// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>
#include <array>

#include "ui/models/runs/run_comparison.h"

namespace natscope::ui {

/// Everything about the chosen token: its life in the chosen head and its role in every head, scores and margin, how
/// surprising it was and what the model thought likely in its place, and who attends to it.
class TokenPanel : public QWidget {
  Q_OBJECT

 public:
  TokenPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent = nullptr);

  [[nodiscard]] QSize sizeHint() const override { return {420, 250}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {260, 66}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;

 private:
  /// Who attends to the token: the weights of one key over all later queries.
  struct Column {
    LayerId layer;
    HeadId head;
    TokenPos key;
    std::vector<float> weights;
    std::vector<std::size_t> best;  ///< the largest of them, in order
  };

  void follow();
  void askForColumn();
  double drawTitle(QPainter& painter, TokenPos token);
  double drawScores(QPainter& painter, const QRectF& area, TokenPos token) const;
  void drawRoles(QPainter& painter, const QRectF& area, TokenPos token);
  double drawAlternatives(QPainter& painter, const QRectF& area, TokenPos token) const;
  void drawColumn(QPainter& painter, const QRectF& area, TokenPos token) const;
  /// Why nobody knows who attends to it; empty: it is known, or will be.
  [[nodiscard]] QString whyNoColumn() const;
  [[nodiscard]] QString named(TokenPos token) const;
  /// This run's loss and the kept one's, in words, where they are known.
  [[nodiscard]] std::array<QString, 2> lossesOf(TokenPos token) const;

  Workbench& workbench_;
  RunComparison& comparison_;
  QTimer pause_;
  std::optional<Column> column_;
  QRectF rolesArea_;
  int lossesInTitle_ = 0;  // as many as there is room for: this run's, the kept one's
};

}  // namespace natscope::ui
