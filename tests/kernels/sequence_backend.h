// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/linear.h"
#include "tests/kernels/attention_case.h"

/// Inference of one layer as the tests call it: a whole sequence through a cache, whoever owns the cache, in the layout
/// of dense_attention. Outputs start as NaN between guard zones. As in tested_backend.h, the file that a program is
/// linked with says which backends it runs.
namespace natscope::test {

/// What came of a sequence under H2O.
struct ScoreRuleRun {
  AttentionResult<float> attention;
  std::vector<std::int32_t> dropped;                  ///< [kv_heads, T]: position that went after the token, or no_drop
  std::vector<std::int32_t> held;                     ///< [kv_heads, T]: entries then
  std::vector<std::map<std::int32_t, float>> scores;  ///< [kv_heads]: of what is held at the end, by position
};

struct SequenceBackend {
  std::string name;
  /// Token by token, each appended after it was attended to.
  std::function<AttentionResult<float>(const AttentionCase&, std::int32_t page_entries)> decode;
  /// In chunks of `chunk` tokens, each appended after it was attended to.
  std::function<AttentionResult<float>(const AttentionCase&, std::int64_t chunk, std::int32_t page_entries)> prefill;
  /// As decode, over a cache that keeps scores and H2O's rule.
  std::function<ScoreRuleRun(const AttentionCase&, const kernels::ScoreRule&, std::int32_t page_entries)> score_rule;
  bool bf16_operands = false;  ///< decode rounds queries and weights to bf16 over a bf16 cache (sequence_check.h)
};

struct LinearBackend {
  std::string name;
  std::function<kernels::Status(std::span<const float> x, std::span<const kernels::LinearRow> products)> product;
  bool takes_f16 = false;
};

[[nodiscard]] std::vector<SequenceBackend> sequence_backends();
[[nodiscard]] std::vector<LinearBackend> linear_backends();

}  // namespace natscope::test
