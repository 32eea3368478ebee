// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/expected.h"

namespace natscope::ui {

enum class FigureFormat : std::uint8_t { png, svg, pdf };

/// The format that a path's ending asks for, letter case ignored. Errors: usage (another ending).
[[nodiscard]] Expected<FigureFormat> figureFormat(const std::filesystem::path& path);

}  // namespace natscope::ui
