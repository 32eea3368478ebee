// SPDX-License-Identifier: GPL-3.0-or-later
/// Reads generation_config.json. Private to core/io.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/base/expected.h"
#include "core/io/model_folder.h"

namespace natscope {

struct GenerationConfig {
  GenerationDefaults defaults;
  std::vector<std::int32_t> eos;
};

/// Empty settings when the file is not there. Errors: bad_generation_config, not_a_regular_file, io_failure.
[[nodiscard]] Expected<GenerationConfig> read_generation_config(const std::filesystem::path& folder, int vocab);

}  // namespace natscope
