// SPDX-License-Identifier: GPL-3.0-or-later
/// The lines a vocabulary is trained on. Private to core/io.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"

namespace natscope {

/// All lines of the files in order, empty ones left out, long ones cut at blanks; when the files hold more than
/// `max_bytes`, an even share of the lines. Errors: bad_data, interrupted, those of reading files.
[[nodiscard]] Expected<std::vector<std::string>> read_training_sentences(std::span<const std::filesystem::path> files,
                                                                         std::uint64_t max_bytes,
                                                                         const StopToken& stop);

}  // namespace natscope
