// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QPainter>
#include <QSizeF>
#include <QString>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "core/base/expected.h"
#include "ui/figure/figure_format.h"

/// A picture in points as png, svg or pdf: what the formats need beside what is drawn.
namespace natscope::ui {

struct Picture {
  QSizeF size;    ///< points (1/72 inch)
  QString title;  ///< of svg and pdf
  QRgb paper = 0xffffffff;
  std::map<std::string, std::string, std::less<>> metadata;  ///< png: text chunks; pdf: XMP properties
  std::string provenance;                                    ///< JSON: svg and pdf
  std::function<void(QPainter&)> paint;                      ///< in points
};

/// Errors: usage (not within 36 … 2400).
[[nodiscard]] Expected<void> checkDpi(double dpi);

/// Errors: usage (not within 4 … 24 points).
[[nodiscard]] Expected<void> checkFontSize(double size);

/// Pixels a point of a png at `dpi`.
[[nodiscard]] double pngScale(double dpi);

/// Any thread. Errors: as checkDpi, out_of_memory, internal.
[[nodiscard]] Expected<QByteArray> encodePicture(const Picture& picture, FigureFormat format, double dpi);

/// Writes the bytes that `render` makes for the format of the path's ending, whole or not at all.
/// Errors: as figureFormat, render and write_file_atomically.
[[nodiscard]] Expected<void> writePicture(const std::filesystem::path& path,
                                          const std::function<Expected<QByteArray>(FigureFormat)>& render);

}  // namespace natscope::ui
