// SPDX-License-Identifier: GPL-3.0-or-later
/// Reads tokenizer_config.json, for the one setting in it that changes what a model is given. Private to core/io.
#pragma once

#include <filesystem>
#include <optional>

#include "core/base/expected.h"

namespace natscope {

struct TokenizerConfig {
  bool is_there = false;
  std::optional<bool> adds_bos;  ///< add_bos_token
};

/// Empty when the file is not there. Errors: bad_tokenizer, not_a_regular_file, io_failure.
[[nodiscard]] Expected<TokenizerConfig> read_tokenizer_config(const std::filesystem::path& folder);

}  // namespace natscope
