// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/generation_config.h"

#include <nlohmann/json.hpp>

#include "core/json/json_limits.h"
#include "core/model/config_reader.h"

namespace natscope {
namespace {

constexpr const char* file_name = "generation_config.json";

/// Sets `value` only when the key is there.
Expected<void> read_number(const ConfigReader& read, const char* key, double min, double max,
                           std::optional<double>& value) {
  if (!read.has(key)) return {};
  NATSCOPE_TRY(value, read.number(key, min, max));
  return {};
}

}  // namespace

Expected<GenerationConfig> read_generation_config(const std::filesystem::path& folder, int vocab) {
  GenerationConfig config;
  NATSCOPE_TRY(const auto json, read_settings_file(folder / file_name, ErrorCode::bad_generation_config));
  if (json.is_null()) return config;
  const ConfigReader read(json, ErrorCode::bad_generation_config, file_name);
  GenerationDefaults& defaults = config.defaults;
  if (read.has("do_sample")) {
    NATSCOPE_TRY(defaults.do_sample, read.boolean_or("do_sample", false));
  }
  if (read.has("top_k")) {
    NATSCOPE_TRY(defaults.top_k, read.integer("top_k", 0, INT32_MAX));
  }
  NATSCOPE_CHECK(read_number(read, "temperature", 0.0, 1e6, defaults.temperature));
  NATSCOPE_CHECK(read_number(read, "top_p", 0.0, 1.0, defaults.top_p));
  NATSCOPE_CHECK(read_number(read, "min_p", 0.0, 1.0, defaults.min_p));
  NATSCOPE_CHECK(read_number(read, "repetition_penalty", 1e-6, 1e6, defaults.repetition_penalty));
  NATSCOPE_TRY(config.eos, read.integers_or_none("eos_token_id", 0, vocab - 1));
  return config;
}

}  // namespace natscope
