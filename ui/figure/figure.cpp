// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <utility>

#include "core/cache/policy.h"
#include "core/export/data_files.h"
#include "ui/figure/figure_layout.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/head_matrices.h"
#include "ui/figure/map_raster.h"
#include "ui/figure/picture_file.h"
#include "ui/figure/text_painter.h"

namespace natscope::ui {
namespace {

constexpr std::int64_t largestSide = 8192;  // cells

Expected<void> checkSides(std::int64_t rows, std::int64_t columns) {
  if (rows <= 0 || columns <= 0) return fail(ErrorCode::bad_range, "there is nothing to draw");
  if (rows > largestSide || columns > largestSide) {
    return fail(ErrorCode::bad_range,
                "a map of " + std::to_string(rows) + " x " + std::to_string(columns) + " cells is too large to draw",
                "choose at most 8192 queries and keys, or write npy");
  }
  return {};
}

Expected<void> checkCount(std::size_t count, std::int64_t expected, const char* what) {
  if (count == static_cast<std::size_t>(expected)) return {};
  return fail(ErrorCode::bad_arrays,
              std::string(what) + " holds " + std::to_string(count) + " values, not " + std::to_string(expected));
}

Expected<void> check(const Heatmap& map) {
  NATSCOPE_CHECK(checkSides(map.queries.size(), map.keys.size()));
  const std::int64_t cells = map.queries.size() * map.keys.size();
  NATSCOPE_CHECK(checkCount(map.values.size(), cells, "the map"));
  return checkCount(map.visible.size(), cells, "the mask");
}

Expected<void> check(const RoleMap& map) {
  const std::int64_t rows = std::int64_t{map.layers} * map.kv_heads;
  NATSCOPE_CHECK(checkSides(rows, std::min(map.length, largestSide)));
  NATSCOPE_CHECK(checkCount(map.roles.size(), rows * map.length, "the role map"));
  return checkCount(map.is_held.size(), rows * map.length, "what the role map's heads hold");
}

Expected<void> check(const KvCurve& curve) {
  if (curve.length <= 0) return fail(ErrorCode::bad_range, "there is nothing to draw");
  NATSCOPE_CHECK(checkCount(curve.entries.size(), curve.length * curve.layers * curve.kv_heads, "the KV curve"));
  if (curve.dense_bytes.empty() != curve.live_bytes.empty())
    return fail(ErrorCode::bad_arrays, "dense and live bytes come together");
  if (curve.dense_bytes.empty()) return {};
  NATSCOPE_CHECK(checkCount(curve.dense_bytes.size(), curve.length, "dense bytes"));
  NATSCOPE_CHECK(checkCount(curve.live_bytes.size(), curve.length, "live bytes"));
  return curve.allocated_bytes.empty() ? Expected<void>()
                                       : checkCount(curve.allocated_bytes.size(), curve.length, "allocated bytes");
}

Expected<void> check(const FigureTable& table) {
  if (table.rows() == 0) return fail(ErrorCode::bad_range, "there is nothing to draw");
  NATSCOPE_CHECK(
      checkCount(table.cells.size(), static_cast<std::int64_t>(table.rows() * table.columns.size()), "the table"));
  return table.column_at("layer") < table.columns.size() ? checkHeadMatrices(table) : Expected<void>();
}

Expected<void> check(const HeadOverview& maps) {
  if (maps.layers.empty() || maps.heads <= 0 || maps.side <= 0)
    return fail(ErrorCode::bad_range, "there is nothing to draw");
  const auto count = static_cast<std::int64_t>(maps.layers.size()) * maps.heads;
  const std::int64_t cells = count * maps.side * maps.side;
  NATSCOPE_CHECK(checkCount(maps.largest.size(), cells, "the overview"));
  NATSCOPE_CHECK(checkCount(maps.visible.size(), cells, "the overview's mask"));
  return checkCount(maps.has_map.size(), count, "the list of maps");
}

Expected<void> checkTokens(PositionRange range) {
  if (range.size() <= 0) return fail(ErrorCode::bad_range, "there is nothing to draw");
  if (range.size() <= largestSide) return {};
  return fail(ErrorCode::bad_range, "a text of " + std::to_string(range.size()) + " tokens is too long to draw",
              "choose at most 8192 tokens with --keys a:b, or write csv");
}

Expected<void> check(const ColouredText& text) {
  NATSCOPE_CHECK(checkTokens(text.range));
  NATSCOPE_CHECK(checkCount(text.held_share.size(), text.range.size(), "the text"));
  if (!text.head) return {};
  NATSCOPE_CHECK(checkCount(text.is_held.size(), text.range.size(), "what the head holds"));
  return text.roles.empty() ? Expected<void>() : checkCount(text.roles.size(), text.range.size(), "the roles");
}

Expected<void> check(const LossText& text) {
  NATSCOPE_CHECK(checkTokens(text.range));
  NATSCOPE_CHECK(checkCount(text.losses.size(), text.range.size(), "the text"));
  return text.is_compared() ? checkCount(text.other_losses.size(), text.range.size(), "the compared run")
                            : Expected<void>();
}

Expected<void> check(const HeldMap& map) {
  const std::int64_t rows = std::int64_t{map.layers} * map.kv_heads;
  NATSCOPE_CHECK(checkSides(rows, std::min(map.counts.tokens, largestSide)));
  return checkCount(map.held_by.size(), rows * map.counts.tokens, "the map of what is held");
}

/// Behind the last one of a text.
std::size_t lastToken(const FigureData& figure) {
  const auto* losses = std::get_if<LossText>(&figure.values);
  return static_cast<std::size_t>(losses != nullptr ? losses->range.end
                                                    : std::get<ColouredText>(figure.values).range.end);
}

/// Which figures have other runs, and how many.
Expected<void> checkCompared(const FigureData& figure) {
  const auto* losses = std::get_if<LossText>(&figure.values);
  const auto* table = std::get_if<FigureTable>(&figure.values);
  const bool needsOne = std::holds_alternative<HeldMap>(figure.values) ||
                        (losses != nullptr && losses->is_compared()) ||
                        (table != nullptr && table->column_at("lost") < table->columns.size());
  if (figure.kind != FigureKind::kv && figure.compared.size() != (needsOne ? 1U : 0U))
    return fail(ErrorCode::bad_arrays, "runs beside each other are of KV curves, losses, statistics and what is held");
  for (const ComparedRun& other : figure.compared) {
    if (figure.kind == FigureKind::kv) NATSCOPE_CHECK(check(other.curve));
  }
  return {};
}

/// `options` are in the layout's points.
Expected<void> checkSize(const FigureData& figure, const FigureOptions& options, const FigureLayout& layout) {
  if (options.width > 0 && options.cellPixels > 0)
    return fail(ErrorCode::usage, "a figure's width and that of its cells both say how wide it is", "leave one out");
  if (options.width > 0 && layout.size.width() > options.width + 1e-3) {
    const auto millimetres = [&](double points) {
      return std::to_string(std::lround(textScale(options) * points / 72 * 25.4)) + " mm";
    };
    return fail(ErrorCode::usage, "a figure " + millimetres(options.width) + " wide has no room for its parts",
                "make it at least " + millimetres(layout.size.width() + 1) +
                    (layout.across.areTokens            ? ", or give positions in place of tokens"
                     : options.fontSize > usualFontSize ? ", or make its texts smaller"
                                                        : ""));
  }
  if (isPutTogether(figure, layout) || layout.raster.width() <= 4 * largestSide) return {};
  return fail(ErrorCode::bad_range,
              "a map of " + std::to_string(layout.raster.width()) + " columns is too wide to draw",
              "leave the cells' size out, or write npy or csv");
}

/// What the picture's pixels are, where they are no cells, and numbers that no other file of the picture has.
Metadata pictureMetadata(const FigureData& figure, const FigureLayout& layout, const FigureOptions& options) {
  Metadata all;
  if (isPutTogether(figure, layout)) {
    const bool isMap = std::holds_alternative<Heatmap>(figure.values);
    all["drawn_columns"] = std::to_string(layout.raster.width());
    if (isMap) all["drawn_rows"] = std::to_string(layout.raster.height());
    all["aggregation"] = isMap ? "a pixel is the largest value that it covers"
                               : "a column is the mean colour of the tokens that it covers";
    if (!isMap) all["tokens_per_column"] = numbers_text({tokensAColumn(figure, layout)});
  }
  if (const auto* losses = std::get_if<LossText>(&figure.values)) {
    const ScaleRange range = rangeOf(*losses, options.scale);
    all["range"] = range_text(FixedRange{range.low, range.high});
    all["losses"] = numbers_text(losses->losses);
    if (losses->is_compared()) all["compared_losses"] = numbers_text(losses->other_losses);
  }
  const auto* table = std::get_if<FigureTable>(&figure.values);
  if (table != nullptr && figure.kind != FigureKind::vocabulary) all.merge(headMatricesMetadata(*table));
  return all;
}

MapRaster rasterFor(const FigureData& figure, const FigureLayout& layout, const FigureOptions& options) {
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values))
    return rasterOf(*maps, layout.mapPixels, layout.gapPixels, options);
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) return rasterOf(*map, layout.raster, options);
  if (const auto* map = std::get_if<HeldMap>(&figure.values)) return rasterOf(*map, layout.raster.width(), options);
  if (const auto* map = std::get_if<RoleMap>(&figure.values))
    return rasterOf(*map, layout.raster.width(), has_roles(figure.provenance.policy), options);
  return {};
}

/// A figure that can be painted, and what its picture points into.
struct Drawing {
  FigureOptions options;  ///< in the layout's points
  FigureLayout layout;
  MapRaster raster;
  Picture picture;
};

double layoutPixels(FigureFormat format, const FigureOptions& options) {
  return format == FigureFormat::png ? pngScale(options.dpi) : 0;
}

/// `figure` must outlive it.
Expected<std::unique_ptr<const Drawing>> drawn(const FigureData& figure, FigureFormat format,
                                               const FigureOptions& chosen) {
  NATSCOPE_CHECK(checkDpi(chosen.dpi));
  NATSCOPE_CHECK(checkFontSize(chosen.fontSize));
  auto drawing = std::make_unique<Drawing>();
  drawing->options = inLayoutPoints(chosen);
  const FigureOptions& options = drawing->options;
  NATSCOPE_CHECK(std::visit([](const auto& values) { return check(values); }, figure.values));
  NATSCOPE_CHECK(checkCompared(figure));
  if (figure.kind == FigureKind::text && figure.token_texts.size() < lastToken(figure))
    return fail(ErrorCode::bad_arrays, "tokens without a text");
  drawing->layout = layOut(figure, options, layoutPixels(format, options));
  const FigureLayout& layout = drawing->layout;
  NATSCOPE_CHECK(checkSize(figure, options, layout));
  drawing->raster = rasterFor(figure, layout, options);
  const MapRaster& raster = drawing->raster;
  const bool needsRaster = figure.kind != FigureKind::kv && figure.kind != FigureKind::text &&
                           !std::holds_alternative<FigureTable>(figure.values);
  if (needsRaster && raster.image.isNull()) return fail(ErrorCode::out_of_memory, "no memory for a map of this size");
  Picture& picture = drawing->picture;
  const double scale = textScale(options);
  picture.size = layout.size * scale;
  picture.title = options.title.value_or(QString());
  if (picture.title.isEmpty()) picture.title = QLatin1String(name(figure.kind));
  picture.paper = inkOf(options.theme).paper;
  picture.metadata = figure_metadata(figure);
  picture.metadata.merge(scale_metadata(figure.kind, options.scale, &raster.range));
  picture.metadata.merge(pictureMetadata(figure, layout, options));
  picture.provenance = metadata_json(picture.metadata);
  picture.paint = [&figure, scale, whole = drawing.get()](QPainter& painter) {
    if (scale != 1) painter.scale(scale, scale);
    paintFigure(painter, figure, whole->options, whole->layout, whole->raster);
  };
  return drawing;
}

Expected<QByteArray> render(const FigureData& figure, FigureFormat format, const FigureOptions& options) {
  NATSCOPE_TRY(const auto drawing, drawn(figure, format, options));
  return encodePicture(drawing->picture, format, options.dpi);
}

/// Pixels a point with which each pixel of a map's raster has one, as far as a picture may be that large; at least
/// `least`.
double finestScale(const Drawing& drawing, double least) {
  constexpr double largest = 4096;  // pixels
  const QSizeF size = drawing.picture.size;
  const double plot = drawing.layout.plot.width() * textScale(drawing.options);
  const double whole = drawing.raster.image.isNull() || plot <= 0 ? 0 : drawing.raster.image.width() / plot;
  return std::max(least, std::min(whole, largest / std::max(size.width(), size.height())));
}

Expected<FigurePreview> preview(const FigureData& figure, FigureFormat format, const FigureOptions& options,
                                QSize room) {
  NATSCOPE_TRY(const auto drawing, drawn(figure, format, options));
  const Picture& picture = drawing->picture;
  const QSizeF size = picture.size;
  const double fitting = std::min(room.width() / size.width(), room.height() / size.height());
  const double scale = finestScale(*drawing, fitting);
  const auto pixels = [&](double by) { return (size * by).toSize().expandedTo(QSize(1, 1)); };
  QImage image(pixels(scale), QImage::Format_RGB32);
  if (image.isNull()) return fail(ErrorCode::out_of_memory, "no memory for a preview of this size");
  image.fill(QColor(picture.paper));
  {
    QPainter painter(&image);
    painter.scale(scale, scale);
    picture.paint(painter);
  }
  if (scale > fitting) image = image.scaled(pixels(fitting), Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
  return FigurePreview{std::move(image), size, remarkOnCells(figure, format, options)};
}

}  // namespace

Expected<QByteArray> renderFigure(const FigureData& figure, FigureFormat format, const FigureOptions& options) {
  try {
    return render(figure, format, options);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for a figure of this size");
  }
}

Expected<FigurePreview> previewFigure(const FigureData& figure, FigureFormat format, const FigureOptions& options,
                                      QSize room) {
  try {
    return preview(figure, format, options, room);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for a preview of this size");
  }
}

QString remarkOnCells(const FigureData& figure, FigureFormat format, const FigureOptions& chosen) {
  const FigureOptions options = inLayoutPoints(chosen);
  const FigureLayout layout = layOut(figure, options, layoutPixels(format, options));
  if (!isPutTogether(figure, layout)) return {};
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) {
    return QStringLiteral("%1 × %2 cells on %3 × %4 pixels, of which each is the largest that it covers")
        .arg(map->keys.size())
        .arg(map->queries.size())
        .arg(layout.raster.width())
        .arg(layout.raster.height());
  }
  return QStringLiteral("%1 tokens a column, of which each is their mean colour")
      .arg(QString::number(tokensAColumn(figure, layout), 'g', 3));
}

Expected<void> drawFigure(const FigureData& figure, const FigureOptions& options, const std::filesystem::path& path) {
  return writePicture(path, [&](FigureFormat format) { return renderFigure(figure, format, options); });
}

}  // namespace natscope::ui
