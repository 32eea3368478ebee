// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/figures/preview_maker.h"

#include <utility>

#include "ui/models/elsewhere.h"
#include "ui/models/figures/figure_export.h"

namespace natscope::ui {
namespace {

/// Whether one figure's numbers are the other's, however they are drawn.
bool haveSameNumbers(const ExportRequest& a, const ExportRequest& b) {
  const bool isMap = a.kind == FigureKind::attention || a.kind == FigureKind::mask;
  return a.kind == b.kind && a.map == b.map && a.layer == b.layer && a.text == b.text &&
         a.is_of_one_head == b.is_of_one_head && a.beside == b.beside && a.keys == b.keys &&
         (!isMap || a.queries == b.queries);
}

/// Errors: bad_range.
Expected<void> checkCells(const ExportRequest& request) {
  if (request.kind != FigureKind::attention && request.kind != FigureKind::mask) return {};
  if (request.queries.size() * request.keys.size() <= PreviewMaker::mostCells) return {};
  return fail(ErrorCode::bad_range, "a map of " + std::to_string(request.queries.size()) + " × " +
                                        std::to_string(request.keys.size()) +
                                        " cells has no preview; it is written whole");
}

}  // namespace

PreviewMaker::PreviewMaker(Workbench& workbench, QObject* parent)
    : QObject(parent), workbench_(workbench), source_(workbench) {}

void PreviewMaker::show(const ExportRequest& request, QSize room) {
  next_ = Wish{request, room};
  if (!isBusy_) begin();
}

void PreviewMaker::begin() {
  const Wish wish = *std::exchange(next_, std::nullopt);
  isBusy_ = true;
  if (const auto fits = checkCells(wish.request); !fits) return end(Unexpected(fits.error()));
  const std::int64_t tokens = workbench_.client().record().size();
  if (figure_ && figureOf_ && tokens == tokens_ && haveSameNumbers(*figureOf_, wish.request)) return draw(wish);
  figure_ = nullptr;
  figureOf_ = wish.request;
  tokens_ = tokens;
  const auto made = std::make_shared<FigureData>();
  source_.make(
      wish.request,
      [made](FigureData figure) -> Expected<void> {
        *made = std::move(figure);
        return {};
      },
      [this, made, wish](const Expected<void>& result) {
        if (!result) return end(Unexpected(result.error()));
        ++madeFigures_;
        figure_ = made;
        draw(wish);
      },
      [this] { return !next_; });
}

void PreviewMaker::draw(const Wish& wish) {
  elsewhere(
      this,
      [wish, figure = figure_]() -> Expected<FigurePreview> {
        NATSCOPE_TRY(const FigureFormat format, figureFormat(wish.request.path));
        return previewFigure(*figure, format, heededOptions(figure->kind, wish.request.options), wish.room);
      },
      [this](const Expected<FigurePreview>& result) { end(result); });
}

void PreviewMaker::end(const Expected<FigurePreview>& result) {
  isBusy_ = false;
  if (next_) return begin();
  if (result) {
    Q_EMIT drawn(*result);
  } else {
    Q_EMIT failed(result.error());
  }
}

}  // namespace natscope::ui
