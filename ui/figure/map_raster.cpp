// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/map_raster.h"

#include <array>

namespace natscope::ui {
namespace {

int mixed(int colour, int paper, double share) { return static_cast<int>(paper + share * (colour - paper)); }

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

}  // namespace

FigureInk inkOf(Theme theme) {
  if (theme == Theme::dark) return {qRgb(0x17, 0x1a, 0x1f), qRgb(0xe8, 0xea, 0xed), qRgb(0x80, 0x87, 0x91)};
  return {qRgb(0xff, 0xff, 0xff), qRgb(0x1b, 0x1e, 0x23), qRgb(0x80, 0x86, 0x8e)};
}

QRgb fadedRoleColour(Role role, Theme theme) {
  const Rgb full = role_colour(role);
  const QRgb paper = inkOf(theme).paper;
  const double share = faded_share(theme);
  return qRgb(mixed(full.red, qRed(paper), share), mixed(full.green, qGreen(paper), share),
              mixed(full.blue, qBlue(paper), share));
}

MapRaster rasterOf(const Heatmap& plain, const FigureOptions& options) {
  const bool isMask = plain.kind == FigureKind::mask;
  const Heatmap map = prepared(plain, options.scale);
  MapRaster raster{blank(map.keys.size(), map.queries.size()), {}};
  if (raster.image.isNull()) return raster;
  if (!isMask) raster.range = range_of(map.values, map.visible, options.scale);
  colourCells(raster.image, {0, 0}, map, raster.range, options);
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

MapRaster rasterOf(const RoleMap& map, bool hasRoles, const FigureOptions& options) {
  MapRaster raster{blank(map.length, std::int64_t{map.layers} * map.kv_heads), {}};
  if (raster.image.isNull()) return raster;
  std::size_t cell = 0;
  for (std::int64_t row = 0; row < raster.image.height(); ++row) {
    QRgb* const pixels = line(raster.image, row);
    for (std::int64_t position = 0; position < map.length; ++position, ++cell) {
      const Role role = map.roles[cell];
      const bool isHeld = map.is_held[cell] != 0;
      pixels[position] = !hasRoles ? toQRgb(held_colour(options.theme, !isHeld))
                         : isHeld  ? toQRgb(role_colour(role))
                                   : fadedRoleColour(role, options.theme);
    }
  }
  return raster;
}

}  // namespace natscope::ui
