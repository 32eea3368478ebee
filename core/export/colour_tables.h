// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "core/export/colour_map.h"

namespace natscope {

extern const std::array<Rgb, 256> viridis_colours;
extern const std::array<Rgb, 256> magma_colours;
extern const std::array<Rgb, 256> cividis_colours;

}  // namespace natscope
