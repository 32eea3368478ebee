// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/map_raster.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace natscope::ui {
namespace {

QImage blank(std::int64_t columns, std::int64_t rows) {
  return QImage(static_cast<int>(columns), static_cast<int>(rows), QImage::Format_RGB32);
}

QRgb* line(QImage& image, std::int64_t row) { return reinterpret_cast<QRgb*>(image.scanLine(static_cast<int>(row))); }

/// One pixel a cell, the first one at `at`.
void colourCells(QImage& image, QPoint at, const Heatmap& map, const ScaleRange& range, const FigureOptions& options) {
  const bool isMask = map.kind == FigureKind::mask;
  const QRgb masked = toQRgb(masked_colour(options.theme));
  const QRgb seen = toQRgb(colour_at(options.colours, 0.5F));
  std::size_t cell = 0;
  for (std::int64_t query = 0; query < map.queries.size(); ++query) {
    QRgb* const pixels = line(image, at.y() + query) + at.x();
    for (std::int64_t key = 0; key < map.keys.size(); ++key, ++cell) {
      const auto colour = [&] { return toQRgb(colour_at(options.colours, place(map.values[cell], range))); };
      pixels[key] = map.visible[cell] == 0 ? masked : isMask ? seen : colour();
    }
  }
}

/// Rows of tokens on so many columns, each the mean of the colours that it covers, by how much of each. `kindOf(cell)`
/// says which of `colours` a cell of [rows, tokens] has.
template <std::size_t kinds, class KindOf>
QImage tokenRows(int rows, std::int64_t tokens, int columns, const std::array<QRgb, kinds>& colours,
                 const KindOf& kindOf) {
  QImage image = blank(columns, rows);
  if (image.isNull()) return image;
  const double pitch = static_cast<double>(tokens) / columns;
  for (int row = 0; row < rows; ++row) {
    QRgb* const pixels = line(image, row);
    const auto kindAt = [&](std::int64_t token) { return kindOf(static_cast<std::size_t>(row * tokens + token)); };
    for (int column = 0; column < columns; ++column) {
      if (columns == tokens) {
        pixels[column] = colours[kindAt(column)];
        continue;
      }
      const double begin = column * pitch;
      const double end = begin + pitch;
      std::array<double, 3> sums{};
      double all = 0;
      for (auto token = static_cast<std::int64_t>(begin); token < tokens && static_cast<double>(token) < end; ++token) {
        const double share =
            std::min(end, static_cast<double>(token + 1)) - std::max(begin, static_cast<double>(token));
        const QRgb colour = colours[kindAt(token)];
        sums[0] += share * qRed(colour);
        sums[1] += share * qGreen(colour);
        sums[2] += share * qBlue(colour);
        all += share;
      }
      const auto mean = [&](std::size_t part) { return static_cast<int>(std::lround(sums[part] / all)); };
      pixels[column] = qRgb(mean(0), mean(1), mean(2));
    }
  }
  return image;
}

}  // namespace

MapRaster rasterOf(const Heatmap& plain, QSize pixels, const FigureOptions& options) {
  const bool isMask = plain.kind == FigureKind::mask;
  const Heatmap map = prepared(plain, options.scale);
  MapRaster raster{blank(pixels.width(), pixels.height()), {}};
  if (raster.image.isNull()) return raster;
  // Before cells are put together: the colours mean the same however large the picture is.
  if (!isMask) raster.range = range_of(map.values, map.visible, options.scale);
  const bool isWhole = pixels.width() >= map.keys.size() && pixels.height() >= map.queries.size();
  colourCells(raster.image, {0, 0}, isWhole ? map : put_together(map, pixels.height(), pixels.width()), raster.range,
              options);
  return raster;
}

MapRaster rasterOf(const HeadOverview& plain, std::int32_t pixels, std::int32_t gap, const FigureOptions& options) {
  const HeadOverview maps = prepared(plain, options.scale);
  const std::int64_t pitch = std::int64_t{pixels} + gap;
  MapRaster raster{blank(maps.heads * pitch - gap, static_cast<std::int64_t>(maps.layers.size()) * pitch - gap), {}};
  if (raster.image.isNull()) return raster;
  raster.image.fill(inkOf(options.theme).paper);
  // Before cells are put together: the colours mean the same however large the pictures are.
  raster.range = range_of(maps.largest, maps.visible, options.scale);
  for (std::size_t row = 0; row < maps.layers.size(); ++row) {
    for (std::int32_t head = 0; head < maps.heads; ++head) {
      if (maps.has_map[maps.index(row, HeadId(head))] == 0) continue;
      const QPoint at(static_cast<int>(head * pitch), static_cast<int>(static_cast<std::int64_t>(row) * pitch));
      colourCells(raster.image, at, thumbnail(maps, row, HeadId(head), pixels), raster.range, options);
    }
  }
  return raster;
}

MapRaster rasterOf(const RoleMap& map, int columns, bool hasRoles, const FigureOptions& options) {
  std::array<QRgb, 2 * role_count> colours{};  // held, then dropped
  for (std::size_t role = 0; role < role_count; ++role) {
    const Role of = static_cast<Role>(role);
    colours[role] = toQRgb(hasRoles ? role_colour(of, options.theme) : held_colour(options.theme, false));
    colours[role + role_count] =
        hasRoles ? fadedRoleColour(of, options.theme) : toQRgb(held_colour(options.theme, true));
  }
  return {tokenRows(map.layers * map.kv_heads, map.length, columns, colours,
                    [&](std::size_t cell) {
                      return static_cast<std::size_t>(map.roles[cell]) + (map.is_held[cell] != 0 ? 0 : role_count);
                    }),
          {}};
}

MapRaster rasterOf(const HeldMap& map, int columns, const FigureOptions& options) {
  std::array<QRgb, 4> colours{};
  for (std::size_t by = 0; by < colours.size(); ++by)
    colours[by] = toQRgb(held_by_colour(static_cast<HeldBy>(by), options.theme));
  return {tokenRows(map.layers * map.kv_heads, map.counts.tokens, columns, colours,
                    [&](std::size_t cell) { return static_cast<std::size_t>(map.held_by[cell]); }),
          {}};
}

}  // namespace natscope::ui
