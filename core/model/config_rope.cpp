// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "core/model/config_checks.h"

namespace natscope {
namespace {

using Json = nlohmann::json;

Unexpected unsupported(const std::string& what) { return fail(ErrorCode::unsupported_model, "config.json: " + what); }

constexpr auto known_keys =
    std::to_array<std::string_view>({"rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor",
                                     "original_max_position_embeddings", "partial_rotary_factor"});
constexpr auto known_kinds = std::to_array<std::string_view>({"default", "linear", "llama3", "yarn"});
/// What LongRoPE is called in Phi-3's files, old ones and today's: transformers takes all of them for it.
constexpr auto longrope_kinds = std::to_array<std::string_view>({"longrope", "su", "yarn"});
/// Of no other kind; beside one they would be believed to do something.
constexpr auto yarn_keys = std::to_array<std::string_view>(
    {"beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim", "truncate"});
constexpr auto longrope_keys = std::to_array<std::string_view>({"short_factor", "long_factor", "attention_factor"});

bool is_one_of(std::string_view key, std::span<const std::string_view> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// As transformers: a value beside the rope settings wins, and without any the context is meant.
Expected<int> read_original_context(const ConfigReader& read, const ConfigReader& top, int context) {
  const ConfigReader& source = top.has("original_max_position_embeddings") ? top : read;
  return source.integer_or("original_max_position_embeddings", context, 1, 1 << 30);
}

Expected<void> read_llama3(const ConfigReader& read, const ConfigReader& top, int context, RopeConfig& rope) {
  NATSCOPE_TRY(rope.factor, read.number("factor", 1e-3, 1e6));
  NATSCOPE_TRY(rope.low_freq_factor, read.number("low_freq_factor", 1e-6, 1e6));
  NATSCOPE_TRY(rope.high_freq_factor, read.number("high_freq_factor", 1e-6, 1e6));
  if (rope.high_freq_factor <= rope.low_freq_factor) {
    return read.refuse("high_freq_factor", "must be larger than low_freq_factor");
  }
  NATSCOPE_TRY(rope.original_context, read_original_context(read, top, context));
  return {};
}

/// 0.1 · mscale · ln(factor) + 1: how much sharper attention is made over a longer context.
double yarn_scale(double factor, double mscale) { return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0; }

Expected<void> read_yarn(const ConfigReader& read, const ConfigReader& top, int context, RopeConfig& rope) {
  if (rope.theta <= 1.0) return top.refuse("rope_theta", "must be larger than 1 for yarn");
  NATSCOPE_TRY(rope.factor, read.number("factor", 1.0, 1e6));
  NATSCOPE_TRY(rope.original_context, read_original_context(read, top, context));
  NATSCOPE_TRY(rope.beta_fast, read.number_or("beta_fast", rope.beta_fast, 1e-6, 1e6));
  NATSCOPE_TRY(rope.beta_slow, read.number_or("beta_slow", rope.beta_slow, 1e-6, 1e6));
  if (rope.beta_fast <= rope.beta_slow) return read.refuse("beta_fast", "must be larger than beta_slow");
  NATSCOPE_TRY(rope.truncate, read.boolean_or("truncate", rope.truncate));

  NATSCOPE_TRY(const double mscale, read.number_or("mscale", 0.0, 0.0, 1e3));
  NATSCOPE_TRY(const double mscale_all_dim, read.number_or("mscale_all_dim", 0.0, 0.0, 1e3));
  const bool has_scales = mscale != 0.0 && mscale_all_dim != 0.0;  // one alone says nothing, as in transformers
  const double scale = has_scales ? yarn_scale(rope.factor, mscale) / yarn_scale(rope.factor, mscale_all_dim)
                                  : yarn_scale(rope.factor, 1.0);
  NATSCOPE_TRY(rope.attention_factor, read.number_or("attention_factor", scale, 1e-3, 1e3));
  return {};
}

}  // namespace

Expected<RopeConfig> read_rope(const ConfigReader& top, const ModelConfig& config) {
  const Json* const scaling = top.find("rope_scaling");
  const Json* const parameters = top.find("rope_parameters");
  if (scaling != nullptr && parameters != nullptr && *scaling != *parameters) {
    return top.refuse("rope_scaling", "and rope_parameters disagree");
  }
  const char* const block_name = parameters != nullptr ? "rope_parameters" : "rope_scaling";
  static const Json nothing = Json::object();
  const Json& block = parameters != nullptr ? *parameters : scaling != nullptr ? *scaling : nothing;
  if (!block.is_object()) return top.refuse(block_name, "must be an object");

  const ConfigReader read(block, ErrorCode::bad_config, "config.json: " + std::string(block_name));
  RopeConfig rope;
  if (top.has("rope_theta") && read.has("rope_theta") && *top.find("rope_theta") != *read.find("rope_theta")) {
    return top.refuse("rope_theta", "and " + std::string(block_name) + ".rope_theta disagree");
  }
  const double default_theta = config.family == ModelFamily::smollm3 ? 2e6 : 1e4;
  const ConfigReader& theta_source = read.has("rope_theta") ? read : top;
  NATSCOPE_TRY(rope.theta, theta_source.number_or("rope_theta", default_theta, 1e-3, 1e15));
  NATSCOPE_TRY(rope.rotated_part, read_rotated_part(top, read, config));

  // Versions of transformers differ in which of the two wins.
  if (read.has("type") && read.has("rope_type") && *read.find("type") != *read.find("rope_type")) {
    return read.refuse("type", "and rope_type disagree");
  }
  NATSCOPE_TRY(const std::string old_kind, read.text_or("type", "default"));
  NATSCOPE_TRY(const std::string kind, read.text_or("rope_type", old_kind));
  const bool is_longrope = config.family == ModelFamily::phi3 && is_one_of(kind, longrope_kinds);
  const bool is_yarn = kind == "yarn" && !is_longrope;
  if (!is_longrope && !is_one_of(kind, known_kinds))
    return unsupported("rope type " + printable(kind, 40) + " is not implemented");
  for (const auto& [key, value] : block.items()) {
    const bool is_known = is_one_of(key, known_keys) || (is_yarn && is_one_of(key, yarn_keys)) ||
                          (is_longrope && is_one_of(key, longrope_keys));
    if (!value.is_null() && !is_known) {
      return unsupported(std::string(block_name) + "." + printable(key, 60) + " is not implemented");
    }
  }
  if (kind == "default") {
    // Without a kind nobody says what they scale; passing over them would change the arithmetic.
    for (const char* const scales : {"factor", "low_freq_factor", "high_freq_factor"}) {
      const Json* const value = read.find(scales);
      if (value != nullptr && !(value->is_number() && *value == 1.0)) {
        return unsupported(std::string(block_name) + "." + scales + " without a rope_type that uses it");
      }
    }
    return rope;
  }
  if (is_longrope) {
    rope.kind = RopeKind::longrope;
    NATSCOPE_CHECK(read_longrope(top, read, config, rope));
    return rope;
  }
  if (kind == "linear") {
    rope.kind = RopeKind::linear;
    NATSCOPE_TRY(rope.factor, read.number("factor", 1e-3, 1e6));
    return rope;
  }
  if (kind == "llama3") {
    rope.kind = RopeKind::llama3;
    NATSCOPE_CHECK(read_llama3(read, top, config.context, rope));
    return rope;
  }
  rope.kind = RopeKind::yarn;
  NATSCOPE_CHECK(read_yarn(read, top, config.context, rope));
  return rope;
}

}  // namespace natscope
