// SPDX-License-Identifier: GPL-3.0-or-later
/// Files of text as one stream of tokens, cut into segments: what eval reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

class ModelFolder;

/// The tokens of the files one after another (`-`: standard input), each with its beginning token in front;
/// `tokens_max` (0: all) cuts them. Errors: bad_text (empty or not UTF-8, the file named), usage (standard input
/// twice), file codes.
[[nodiscard]] Expected<std::vector<std::int32_t>> read_token_stream(const ModelFolder& folder,
                                                                    std::span<const std::string> files,
                                                                    std::int64_t tokens_max);

/// Segments of `length` tokens; a shorter rest is left out unless it is all there is.
[[nodiscard]] std::vector<std::span<const std::int32_t>> cut_segments(std::span<const std::int32_t> stream,
                                                                      std::int64_t length);

}  // namespace natscope
