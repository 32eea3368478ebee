// SPDX-License-Identifier: GPL-3.0-or-later
/// Which tensors a model of a given config stores, under Hugging Face's names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/config.h"

namespace natscope {

struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// Every tensor that the arithmetic of `config` needs, score layers (when config.nats is set) included; lm_head.weight
/// only when it is not tied. Ordered as the forward pass uses them. Where they lie in files: stored_rows().
[[nodiscard]] std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config);

/// Where files hold one of those tensors: from `first_row` on in `stored`.
struct StoredRows {
  ExpectedTensor stored;
  std::int64_t first_row = 0;
};

/// The tensor itself, but for a family that stores several as one (ModelConfig::stores_fused): there q, k and v stand
/// one below the other in self_attn.qkv_proj.weight, gate and up in mlp.gate_up_proj.weight.
[[nodiscard]] StoredRows stored_rows(const ModelConfig& config, const ExpectedTensor& tensor);

/// "model.layers.3.self_attn.proj_layer.weight"
[[nodiscard]] std::string score_layer_name(int layer);

/// A tensor that old exporters store although it follows from the config (rotary inv_freq): ignored.
[[nodiscard]] bool is_harmless_extra(std::string_view name);

}  // namespace natscope
