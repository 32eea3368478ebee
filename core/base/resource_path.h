// SPDX-License-Identifier: GPL-3.0-or-later
/// Where the files that come with the program lie: the demo model, sample texts, icons.
#pragma once

#include <filesystem>
#include <string_view>

namespace natscope {

/// Path of resources/NAME. Looked for in this order: the folder that NATSCOPE_RESOURCES names, `../share/natscope`
/// beside the running program (an installation), the source tree it was built from. The path need not exist.
[[nodiscard]] std::filesystem::path resource_path(std::string_view name);

/// The bundled model, with learned roles, and its twin: the same shape and text, trained with full attention.
[[nodiscard]] std::filesystem::path demo_model_path();
[[nodiscard]] std::filesystem::path demo_twin_path();

}  // namespace natscope
