// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure_painter.h"

#include <QFontMetricsF>
#include <QPaintEngine>
#include <QTransform>
#include <algorithm>
#include <cmath>

#include "core/cache/forced_role.h"
#include "core/cache/policy.h"
#include "ui/figure/axis_ticks.h"
#include "ui/figure/colour_bar.h"
#include "ui/figure/curve_painter.h"
#include "ui/figure/figure_ink.h"
#include "ui/figure/figure_legends.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/head_matrices.h"
#include "ui/figure/legend.h"
#include "ui/figure/overview_figure.h"
#include "ui/figure/plot_painter.h"
#include "ui/figure/text_painter.h"
#include "ui/figure/vocabulary_figure.h"

namespace natscope::ui {
namespace {

QString lossTitle(const FigureData& figure, const FigureOptions& options) {
  if (figure.compared.empty()) return QStringLiteral("Loss of each token");
  return QStringLiteral("Loss of each token: %1 less %2")
      .arg(shownRunName(figure, 0, options), shownRunName(figure, 1, options));
}

QString whatIsShown(const FigureData& figure, const FigureOptions& options) {
  switch (figure.kind) {
    case FigureKind::attention:
    case FigureKind::mask: {
      const auto& map = std::get<Heatmap>(figure.values);
      const QString what = figure.kind == FigureKind::mask ? QStringLiteral("Mask") : QStringLiteral("Attention");
      return QStringLiteral("%1, layer %2, head %3").arg(what).arg(map.layer.value).arg(map.head.value);
    }
    case FigureKind::roles:
      if (const auto* map = std::get_if<HeldMap>(&figure.values))
        return QStringLiteral("Tokens that two caches hold after token %1, by layer and KV head")
            .arg(map->counts.tokens - 1);
      if (!has_roles(figure.provenance.policy))
        return QStringLiteral("Tokens that %1 holds, by layer and KV head")
            .arg(QString::fromStdString(method_name(figure.provenance.policy)));
      return QStringLiteral("Token roles by layer and KV head");
    case FigureKind::kv:
      return QStringLiteral("KV cache by tokens");
    case FigureKind::overview: {
      const auto& maps = std::get<HeadOverview>(figure.values);
      return maps.layers.size() == 1 ? QStringLiteral("Attention of all heads, layer %1").arg(maps.layers.front().value)
                                     : QStringLiteral("Attention of all heads");
    }
    case FigureKind::text: {
      if (std::holds_alternative<LossText>(figure.values)) return lossTitle(figure, options);
      const auto& text = std::get<ColouredText>(figure.values);
      if (!text.head) return QStringLiteral("Share of the heads that hold each token after the last one");
      const QString what = text.roles.empty() ? QStringLiteral("What is held") : QStringLiteral("Token roles");
      return QStringLiteral("%1, layer %2, head %3").arg(what).arg(text.head->layer.value).arg(text.head->head.value);
    }
    case FigureKind::vocabulary:
      if (!figure.head) return QStringLiteral("What the cache is made of, in all heads");
      return QStringLiteral("What the cache is made of, layer %1, head %2")
          .arg(figure.head->layer.value)
          .arg(figure.head->head.value);
    case FigureKind::heads:
      return QStringLiteral("What each KV head keeps");
    case FigureKind::statistics:
      return QStringLiteral("What each query head attends to");
  }
  return {};
}

/// Where cells are large enough, each has a sign too: of its role, or of the cache that holds it alone.
template <class SignOf>
void drawSigns(QPainter& painter, const FigureLayout& layout, const QImage& cells, const SignOf& signOf) {
  if (std::min(layout.cell.width(), layout.cell.height()) < 7) return;
  std::size_t cell = 0;
  for (int row = 0; row < cells.height(); ++row) {
    for (int position = 0; position < cells.width(); ++position, ++cell) {
      const QPointF centre(layout.plot.left() + (position + 0.5) * layout.cell.width(),
                           layout.plot.top() + (row + 0.5) * layout.cell.height());
      const QString sign = signOf(cell);
      if (!sign.isEmpty()) drawText(painter, centre, sign, figureFont(5), inkOn(cells.pixel(position, row)), 0, 0);
    }
  }
}

void drawLayerLines(QPainter& painter, int layers, int kvHeads, const FigureInk& ink, const FigureLayout& layout) {
  painter.setPen(QPen(QColor(ink.paper), hairline));
  for (int layer = 1; layer < layers; ++layer) {
    const double y = layout.plot.top() + layer * kvHeads * layout.cell.height();
    painter.drawLine(QPointF(layout.plot.left(), y), QPointF(layout.plot.right(), y));
  }
}

}  // namespace

QString shownTitle(const FigureData& figure, const FigureOptions& options) {
  if (options.title) return options.title->simplified();
  // What was set by hand stands where every reader sees it.
  const std::string set = in_words(figure.provenance.by_hand);
  const bool isNamed = std::holds_alternative<LossText>(figure.values) && !figure.compared.empty();  // as run_name does
  const QString what = whatIsShown(figure, options);
  return set.empty() || isNamed ? what : QStringLiteral("%1 (%2)").arg(what, QString::fromStdString(set));
}

namespace {

void paintTokenRows(QPainter& painter, int layers, int kvHeads, const FigureInk& ink, const FigureLayout& layout) {
  drawLayerLines(painter, layers, kvHeads, ink, layout);
  const QString rows = QStringLiteral("layer (rows: its KV heads)");
  const bool hasRoom = textWidth(figureFont(8), rows) < layout.plot.height() + 30;
  drawAxisTitles(painter, ink, layout, QStringLiteral("token"), hasRoom ? rows : QStringLiteral("layer"));
  drawAxes(painter, ink, layout);
}

void paintParts(QPainter& painter, const FigureData& figure, const Heatmap&, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster& raster) {
  const FigureInk ink = inkOf(options.theme);
  if (figure.kind == FigureKind::attention) drawColourBar(painter, options, raster.range, ink, layout.bar);
  drawAxisTitles(painter, ink, layout, QStringLiteral("key"), QStringLiteral("query"));
  drawAxes(painter, ink, layout);
}

void paintParts(QPainter& painter, const FigureData& figure, const RoleMap& map, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster& raster) {
  paintTokenRows(painter, map.layers, map.kv_heads, inkOf(options.theme), layout);
  if (!has_roles(figure.provenance.policy)) return;
  drawSigns(painter, layout, raster.image,
            [&](std::size_t cell) { return QString(QLatin1Char(role_letter(map.roles[cell]))); });
}

void paintParts(QPainter& painter, const FigureData&, const HeldMap& map, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster& raster) {
  paintTokenRows(painter, map.layers, map.kv_heads, inkOf(options.theme), layout);
  drawSigns(painter, layout, raster.image, [&](std::size_t cell) { return heldSign(map.held_by[cell]); });
}

void paintParts(QPainter& painter, const FigureData&, const HeadOverview& maps, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster& raster) {
  FigureOptions bar = options;
  bar.scale.normalise = Normalise::none;  // there is none of many maps
  drawColourBar(painter, bar, raster.range, inkOf(options.theme), layout.bar);
  paintOverview(painter, maps, inkOf(options.theme), layout);
}

void paintParts(QPainter& painter, const FigureData& figure, const KvCurve&, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster&) {
  paintCurve(painter, figure, options, layout);
}

void paintParts(QPainter& painter, const FigureData& figure, const FigureTable& table, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster&) {
  const bool isVocabulary = figure.kind == FigureKind::vocabulary;
  (isVocabulary ? paintVocabulary : paintHeadMatrices)(painter, table, options, layout);
}

/// A text, by roles or by losses.
template <class Text>
void paintParts(QPainter& painter, const FigureData& figure, const Text&, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster&) {
  paintText(painter, figure, options, layout);
}

}  // namespace

void paintFigure(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout,
                 const MapRaster& raster) {
  const FigureInk ink = inkOf(options.theme);
  painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing | QPainter::LosslessImageRendering);
  painter.fillRect(QRectF(QPointF(0, 0), layout.size), QColor(ink.paper));
  QPointF title(layout.plot.left(), page::margin);
  for (const QString& line : layout.title) {
    drawText(painter, title, line, titleFont(), ink.text, -1, -1);
    title.ry() += 13;
  }
  if (!raster.image.isNull()) drawRaster(painter, layout.plot, raster.image);
  std::visit([&](const auto& values) { paintParts(painter, figure, values, options, layout, raster); }, figure.values);
  paintLegend(painter, layout.legend, {layout.plot.left(), layout.legendY}, legendPitch(figure), ink.text);
}

}  // namespace natscope::ui
