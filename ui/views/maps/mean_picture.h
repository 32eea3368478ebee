// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ui/views/maps/column_transform.h"

namespace natscope::ui {

/// The tokens that one pixel of a row stands for: one where tokens are wider than a pixel, else some of them, spread
/// evenly over all that lie in it.
struct PixelTokens {
  static constexpr int most = 8;  ///< so a picture costs the same however long the text is

  std::array<std::int32_t, most> tokens{};
  int count = 0;
};

/// What each of `width` pixels from `left` on stands for; `tokens` > 0 is how many there are.
[[nodiscard]] inline std::vector<PixelTokens> pixelTokens(const ColumnTransform& columns, double left, int width,
                                                          std::int64_t tokens) {
  std::vector<PixelTokens> pixels(static_cast<std::size_t>(width));
  const auto at = [&](double x) { return columns.tokenAt(x).value_or(tokens - 1); };
  const auto endAt = [&](double x) { return columns.tokenAt(x).value_or(columns.endToken()); };
  for (int x = 0; x < width; ++x) {
    PixelTokens& pixel = pixels[static_cast<std::size_t>(x)];
    if (columns.scale() >= 1) {
      pixel.tokens[0] = static_cast<std::int32_t>(at(left + x + 0.5));
      pixel.count = 1;
      continue;
    }
    const std::int64_t first = at(left + x);
    const std::int64_t end = std::clamp(endAt(left + x + 1), first + 1, std::max(first + 1, tokens));
    pixel.count = static_cast<int>(std::min<std::int64_t>(PixelTokens::most, end - first));
    for (int i = 0; i < pixel.count; ++i)
      pixel.tokens[static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>(first + (2 * i + 1) * (end - first) / (2 * pixel.count));
  }
  return pixels;
}

/// One line a row, one pixel for each of `pixels`: the colour of what its tokens are, or the mean of their colours.
///   inRow(row)   is asked once a row for a function of a token, which says which of `colours` it has
template <std::size_t kinds, class InRow>
[[nodiscard]] QImage meanPicture(int rows, const std::vector<PixelTokens>& pixels,
                                 const std::array<QRgb, kinds>& colours, InRow inRow) {
  QImage image(static_cast<int>(pixels.size()), rows, QImage::Format_RGB32);
  for (int row = 0; row < rows; ++row) {
    const auto kindOf = inRow(row);
    auto* const line = reinterpret_cast<QRgb*>(image.scanLine(row));
    for (std::size_t x = 0; x < pixels.size(); ++x) {
      const PixelTokens& pixel = pixels[x];
      int red = 0;
      int green = 0;
      int blue = 0;
      for (int i = 0; i < pixel.count; ++i) {
        const QRgb colour = colours[kindOf(static_cast<std::size_t>(pixel.tokens[static_cast<std::size_t>(i)]))];
        red += qRed(colour);
        green += qGreen(colour);
        blue += qBlue(colour);
      }
      line[x] = qRgb(red / pixel.count, green / pixel.count, blue / pixel.count);
    }
  }
  return image;
}

/// In `height` pixels: where those are fewer than the rows, each is the mean of its rows, and none is lost.
[[nodiscard]] inline QImage fittedToHeight(const QImage& image, double height) {
  const int pixels = std::max(1, static_cast<int>(std::round(height)));
  if (image.height() <= pixels) return image;
  return image.scaled(image.width(), pixels, Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
}

}  // namespace natscope::ui
