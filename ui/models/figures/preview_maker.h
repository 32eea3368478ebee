// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QSize>
#include <optional>

#include "ui/models/figures/figure_source.h"

namespace natscope::ui {

/// Draws what an export would write, by the same code, for a picture on screen. Of several wishes the last one counts;
/// one figure is made at a time, on another thread, and kept for as long as only its look changes.
class PreviewMaker : public QObject {
  Q_OBJECT

 public:
  /// More cells of a head's map than these are not fetched for a preview.
  static constexpr std::int64_t mostCells = std::int64_t{1} << 22;

  explicit PreviewMaker(Workbench& workbench, QObject* parent = nullptr);

  /// `room`: device pixels. Ends with `drawn` or `failed`, unless another wish comes first. Errors: usage (a format of
  /// numbers), bad_range (more than mostCells), those of FigureSource and previewFigure.
  void show(const ExportRequest& request, QSize room);

  /// How many figures' numbers were made.
  [[nodiscard]] int madeFigures() const { return madeFigures_; }

 Q_SIGNALS:
  void drawn(const natscope::ui::FigurePreview& preview);
  void failed(const natscope::Error& error);

 private:
  struct Wish {
    ExportRequest request;
    QSize room;
  };
  void begin();
  void draw(const Wish& wish);
  void end(const Expected<FigurePreview>& result);

  Workbench& workbench_;
  FigureSource source_;
  std::optional<Wish> next_;
  bool isBusy_ = false;
  std::optional<ExportRequest> figureOf_;  // whose numbers are kept …
  std::int64_t tokens_ = 0;                // … of a text of so many tokens
  std::shared_ptr<const FigureData> figure_;
  int madeFigures_ = 0;
};

}  // namespace natscope::ui
