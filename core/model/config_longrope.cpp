// SPDX-License-Identifier: GPL-3.0-or-later
// What Phi-3's rotation has and no other family's: a part of each head that is not turned, and LongRoPE.
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/model/config_checks.h"

namespace natscope {
namespace {

using Json = nlohmann::json;

/// One positive number a pair.
Expected<std::vector<double>> read_factors(const ConfigReader& read, const char* key, int pairs) {
  const Json* const list = read.find(key);
  if (list == nullptr) return read.refuse(key, "is missing");
  if (!list->is_array()) return read.refuse(key, "must be a list of numbers");
  if (list->size() != static_cast<std::size_t>(pairs)) {
    return read.refuse(key, "has " + std::to_string(list->size()) + " numbers, not one for each of " +
                                std::to_string(pairs) + " pairs that are turned");
  }
  std::vector<double> factors;
  for (const Json& factor : *list) {
    const bool fits = factor.is_number() && factor.get<double>() >= 1e-3 && factor.get<double>() <= 1e6;
    if (!fits) return read.refuse(key, "must hold numbers of 0.001 … 1000000");
    factors.push_back(factor.get<double>());
  }
  return factors;
}

}  // namespace

Expected<double> read_rotated_part(const ConfigReader& top, const ConfigReader& block, const ModelConfig& config) {
  constexpr const char* key = "partial_rotary_factor";
  const ConfigReader& source = block.has(key) ? block : top;
  NATSCOPE_TRY(const double part, source.number_or(key, 1.0, 0.0, 1.0));
  if (part == 1.0) return part;
  if (config.family != ModelFamily::phi3) {
    return fail(ErrorCode::unsupported_model, "config.json: partial_rotary_factor other than 1 is not implemented");
  }
  if (block.has(key) && top.has(key) && *block.find(key) != *top.find(key)) {
    return top.refuse(key, "and that of the rope settings disagree");
  }
  const int rotated = static_cast<int>(config.head_dim * part);
  if (rotated < 2 || rotated % 2 != 0) {
    return source.refuse(key,
                         "leaves " + std::to_string(rotated) + " numbers of a head to be turned, not pairs of them");
  }
  return part;
}

Expected<void> read_longrope(const ConfigReader& top, const ConfigReader& block, const ModelConfig& config,
                             RopeConfig& rope) {
  // Beside the rope settings, not among them, and 4096 where it is missing: so transformers reads a Phi-3. What else a
  // file says is not passed over.
  constexpr const char* original = "original_max_position_embeddings";
  NATSCOPE_TRY(rope.original_context, top.integer_or(original, 4096, 1, 1 << 30));
  NATSCOPE_TRY(const int named, block.integer_or(original, rope.original_context, 1, 1 << 30));
  if (named != rope.original_context) {
    return block.refuse(original, "and the " + std::to_string(rope.original_context) + " of the model disagree");
  }
  const int pairs = static_cast<int>(config.head_dim * rope.rotated_part) / 2;
  NATSCOPE_TRY(rope.short_factor, read_factors(block, "short_factor", pairs));
  NATSCOPE_TRY(rope.long_factor, read_factors(block, "long_factor", pairs));

  const double stretched = static_cast<double>(config.context) / rope.original_context;
  NATSCOPE_TRY(const double factor, block.number_or("factor", stretched, 1e-6, 1e6));
  if (factor > 1.0 && rope.original_context == 1) return top.refuse(original, "must be larger than 1");
  const double scale = factor <= 1.0 ? 1.0 : std::sqrt(1.0 + std::log(factor) / std::log(rope.original_context));
  NATSCOPE_TRY(rope.attention_factor, block.number_or("attention_factor", scale, 1e-3, 1e3));
  return {};
}

}  // namespace natscope
