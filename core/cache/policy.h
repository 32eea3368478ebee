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
/// 2004.05150), TOVA (arXiv 2401.06104), SnapKV (arXiv 2404.14469), PyramidKV (arXiv 2406.02069), Ada-KV (arXiv
/// 2407.11550).
struct Policy {
  enum class Kind : std::uint8_t { model, full, window, longformer, streaming, h2o, tova, snapkv, pyramidkv, adakv };

  Kind kind = Kind::model;
  std::int64_t window = 0;                 ///< W of window, longformer and streaming
  std::int64_t sinks = 0;                  ///< streaming: positions below it are global
  std::vector<TokenPos> global_positions;  ///< longformer, ascending, without repeats
  std::int64_t heavy = 0;   ///< entries kept by score: h2o HEAVY, tova SIZE, behind a prompt SIZE − WINDOW
  std::int64_t recent = 0;  ///< newest entries kept: h2o RECENT, behind a prompt WINDOW

  friend bool operator==(const Policy&, const Policy&) = default;
};

/// The rule of a policy that keeps what is attended to, as a cache takes it; nothing where roles decide.
[[nodiscard]] std::optional<kernels::ScoreRule> score_rule(const Policy& policy);

/// Reads `model`, `full`, `window:W`, `longformer:W,P1,P2,…`, `streaming:SINKS,WINDOW`, `h2o:HEAVY,RECENT`,
/// `tova:SIZE`, and `snapkv`, `pyramidkv` or `adakv`, each `:SIZE,WINDOW` (1 ≤ WINDOW ≤ SIZE). Errors: bad_policy (the
/// text names what was expected where).
[[nodiscard]] Expected<Policy> parse_policy(std::string_view text);
/// Why parse_policy refuses a text, for a place where the text stands already. Empty: it is a policy.
[[nodiscard]] std::string policy_problem(std::string_view text);

/// Whether tokens have roles under a policy: not so where it keeps what is attended to (H2O, TOVA, SnapKV,
/// PyramidKV, Ada-KV).
[[nodiscard]] bool has_roles(const Policy& policy);
/// The same by its text, which may also be no policy of these, but the name of another program's method, whose trace
/// says what it dropped: that has none either.
[[nodiscard]] bool has_roles(std::string_view policy);

/// Whether a policy drops nothing but once, behind a prompt (SnapKV, PyramidKV, Ada-KV): without one it is full
/// attention.
[[nodiscard]] bool drops_behind_prompt(const Policy& policy);
[[nodiscard]] bool drops_behind_prompt(Policy::Kind kind);

/// What decides in place of roles, as a sentence names it: "H2O", "TOVA", "SnapKV", or another method by the name that
/// it has.
[[nodiscard]] std::string method_name(std::string_view policy);

/// What policies of one kind are called together, whatever their numbers: "StreamingLLM"; another method by the name
/// that it has.
[[nodiscard]] std::string family_name(std::string_view policy);

/// The same text back, as parse_policy takes it.
[[nodiscard]] std::string to_string(const Policy& policy);

}  // namespace natscope
