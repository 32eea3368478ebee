// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/tokenizer_config.h"

#include <nlohmann/json.hpp>

#include "core/json/json_limits.h"
#include "core/model/config_reader.h"

namespace natscope {

Expected<TokenizerConfig> read_tokenizer_config(const std::filesystem::path& folder) {
  constexpr const char* file_name = "tokenizer_config.json";
  TokenizerConfig config;
  NATSCOPE_TRY(const auto json, read_settings_file(folder / file_name, ErrorCode::bad_tokenizer));
  if (json.is_null()) return config;
  config.is_there = true;
  const ConfigReader read(json, ErrorCode::bad_tokenizer, file_name);
  if (read.has("add_bos_token")) {
    NATSCOPE_TRY(config.adds_bos, read.boolean_or("add_bos_token", false));
  }
  return config;
}

}  // namespace natscope
