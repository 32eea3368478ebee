// SPDX-License-Identifier: GPL-3.0-or-later
/// What a series of points looks like, in figures and in the window: a colour, and a mark that tells it from others
/// without colour.
#pragma once

#include <QPainterPath>
#include <QRgb>
#include <cstddef>

namespace natscope::ui {

[[nodiscard]] QRgb seriesColour(std::size_t look);
/// Round the origin. `radius`: about half its width.
[[nodiscard]] QPainterPath seriesMark(std::size_t look, double radius);
/// Whether the mark is filled; the others are outlines on paper.
[[nodiscard]] bool isSeriesFilled(std::size_t look);

}  // namespace natscope::ui
