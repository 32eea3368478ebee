// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "kernels/ids.h"
#include "kernels/kv_cache.h"

namespace natscope {

/// What decides how long tokens stay: the model's learned roles, or a baseline in their place.
/// Source: section 11 of the rules; StreamingLLM (arXiv 2309.17453), H2O (arXiv 2306.14048), Longformer (arXiv
/// 2004.05150).
struct Policy {
  enum class Kind : std::uint8_t { model, full, window, longformer, streaming, h2o };

  Kind kind = Kind::model;
  std::int64_t window = 0;                 ///< W of window, longformer and streaming
  std::int64_t sinks = 0;                  ///< streaming: positions below it are global
  std::vector<TokenPos> global_positions;  ///< longformer, ascending, without repeats
  std::int64_t heavy = 0;                  ///< h2o
  std::int64_t recent = 0;                 ///< h2o

  friend bool operator==(const Policy&, const Policy&) = default;
};

/// H2O's rule, as a cache takes it; nothing under any other policy.
[[nodiscard]] inline std::optional<kernels::HeavyHitters> heavy_hitters(const Policy& policy) {
  if (policy.kind != Policy::Kind::h2o) return {};
  return kernels::HeavyHitters{policy.heavy, policy.recent};
}

/// Reads `model`, `full`, `window:W`, `longformer:W,P1,P2,…`, `streaming:SINKS,WINDOW`, `h2o:HEAVY,RECENT`.
/// Errors: bad_policy (the text names what was expected where).
[[nodiscard]] Expected<Policy> parse_policy(std::string_view text);

/// Whether tokens have roles under a policy, by its text. Not so under H2O, nor under what is no policy of these: the
/// name of another program's method, whose trace says what it dropped.
[[nodiscard]] bool has_roles(std::string_view policy);

/// What decides in place of roles, as a sentence names it: "H2O", or another method by the name that it has.
[[nodiscard]] std::string method_name(std::string_view policy);

/// What policies of one kind are called together, whatever their numbers: "StreamingLLM"; another method by the name
/// that it has.
[[nodiscard]] std::string family_name(std::string_view policy);

/// The same text back, as parse_policy takes it.
[[nodiscard]] std::string to_string(const Policy& policy);

}  // namespace natscope
