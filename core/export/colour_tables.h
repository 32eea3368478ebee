// SPDX-License-Identifier: GPL-3.0-or-later
/// The colour maps' numbers, from low to high; where they are from stands beside them. Private to core/export.
#pragma once

#include <array>

#include "core/export/colour_map.h"

namespace natscope {

extern const std::array<Rgb, 256> viridis_colours;
extern const std::array<Rgb, 256> magma_colours;
extern const std::array<Rgb, 256> cividis_colours;

}  // namespace natscope
