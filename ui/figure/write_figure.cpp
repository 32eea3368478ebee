// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <new>

#include "core/cache/policy.h"
#include "core/export/data_files.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/picture_file.h"

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
  if (map.length > 4 * largestSide) {
    return fail(ErrorCode::bad_range,
                "a role map of " + std::to_string(map.length) + " tokens is too wide to draw: at most " +
                    std::to_string(4 * largestSide),
                "write npy or csv");
  }
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

Expected<void> check(const HeadTable&) { return check_format(FigureKind::heads, ExportFormat::png); }

Expected<void> check(const HeadOverview& maps) {
  if (maps.layers.empty() || maps.heads <= 0 || maps.side <= 0)
    return fail(ErrorCode::bad_range, "there is nothing to draw");
  const auto count = static_cast<std::int64_t>(maps.layers.size()) * maps.heads;
  const std::int64_t cells = count * maps.side * maps.side;
  NATSCOPE_CHECK(checkCount(maps.largest.size(), cells, "the overview"));
  NATSCOPE_CHECK(checkCount(maps.visible.size(), cells, "the overview's mask"));
  return checkCount(maps.has_map.size(), count, "the list of maps");
}

Expected<void> check(const ColouredText& text) {
  if (text.range.size() <= 0) return fail(ErrorCode::bad_range, "there is nothing to draw");
  if (text.range.size() > largestSide) {
    return fail(ErrorCode::bad_range, "a text of " + std::to_string(text.range.size()) + " tokens is too long to draw",
                "choose at most 8192 tokens with --keys a:b, or write csv");
  }
  NATSCOPE_CHECK(checkCount(text.held_share.size(), text.range.size(), "the text"));
  if (!text.head) return {};
  NATSCOPE_CHECK(checkCount(text.is_held.size(), text.range.size(), "what the head holds"));
  return text.roles.empty() ? Expected<void>() : checkCount(text.roles.size(), text.range.size(), "the roles");
}

Expected<QByteArray> render(const FigureData& figure, FigureFormat format, const FigureOptions& options) {
  NATSCOPE_CHECK(checkDpi(options.dpi));
  NATSCOPE_CHECK(std::visit([](const auto& values) { return check(values); }, figure.values));
  if (!figure.compared.empty() && figure.kind != FigureKind::kv)
    return fail(ErrorCode::bad_arrays, "runs beside each other are of KV curves");
  for (const ComparedCurve& other : figure.compared) NATSCOPE_CHECK(check(other.curve));
  if (const auto* text = std::get_if<ColouredText>(&figure.values);
      text != nullptr && figure.token_texts.size() < static_cast<std::size_t>(text->range.end))
    return fail(ErrorCode::bad_arrays, "tokens without a text");
  const FigureLayout layout = layOut(figure, options, format == FigureFormat::png ? pngScale(options.dpi) : 0);
  MapRaster raster;
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values))
    raster = rasterOf(*maps, layout.mapPixels, layout.gapPixels, options);
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) raster = rasterOf(*map, options);
  if (const auto* map = std::get_if<RoleMap>(&figure.values))
    raster = rasterOf(*map, has_roles(figure.provenance.policy), options);
  const bool needsRaster = figure.kind != FigureKind::kv && figure.kind != FigureKind::text;
  if (needsRaster && raster.image.isNull()) return fail(ErrorCode::out_of_memory, "no memory for a map of this size");
  Picture picture;
  picture.size = layout.size;
  picture.title = options.title.isEmpty() ? QString(QLatin1String(name(figure.kind))) : options.title;
  picture.paper = inkOf(options.theme).paper;
  picture.metadata = figure_metadata(figure);
  picture.metadata.merge(scale_metadata(figure.kind, options.scale, &raster.range));
  picture.provenance = metadata_json(picture.metadata);
  picture.paint = [&](QPainter& painter) { paintFigure(painter, figure, options, layout, raster); };
  return encodePicture(picture, format, options.dpi);
}

}  // namespace

Expected<QByteArray> renderFigure(const FigureData& figure, FigureFormat format, const FigureOptions& options) {
  try {
    return render(figure, format, options);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for a figure of this size");
  }
}

Expected<void> drawFigure(const FigureData& figure, const FigureOptions& options, const std::filesystem::path& path) {
  return writePicture(path, [&](FigureFormat format) { return renderFigure(figure, format, options); });
}

}  // namespace natscope::ui
