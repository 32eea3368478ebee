// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/linear.h"
#include "tests/kernels/attention_case.h"

/// Inference of one layer as the tests call it: a whole sequence through a cache, whoever owns the cache, in the layout
/// of dense_attention. Outputs start as NaN between guard zones. As in tested_backend.h, the file that a program is
/// linked with says which backends it runs.
namespace natscope::tests {

struct SequenceBackend {
  std::string name;
  /// Token by token, each appended after it was attended to.
  std::function<AttentionResult<float>(const AttentionCase&, std::int32_t page_entries)> decode;
  /// In chunks of `chunk` tokens, each appended after it was attended to.
  std::function<AttentionResult<float>(const AttentionCase&, std::int64_t chunk, std::int32_t page_entries)> prefill;
  bool bf16_operands = false;  ///< decode rounds queries and weights to bf16 over a bf16 cache (sequence_check.h)
};

struct LinearBackend {
  std::string name;
  std::function<kernels::Status(std::span<const float> x, std::span<const kernels::LinearRow> products)> product;
};

[[nodiscard]] std::vector<SequenceBackend> sequence_backends();
[[nodiscard]] std::vector<LinearBackend> linear_backends();

}  // namespace natscope::tests
