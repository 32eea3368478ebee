// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSize>
#include <cstdint>
#include <vector>

namespace natscope::ui {

/// Draws `frames` frames of the attention map of a made-up sequence of `tokens` tokens into memory, panning and zooming
/// all the time, and returns the milliseconds that each took: events, new tiles' pictures and painting. Tiles are made
/// up beforehand and arrive between frames, as from an engine. Needs a QApplication (offscreen will do).
[[nodiscard]] std::vector<double> measureMapFrames(std::int64_t tokens, int frames, QSize size = {1200, 1000});

}  // namespace natscope::ui
