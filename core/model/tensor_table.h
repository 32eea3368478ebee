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

/// Every tensor that `config` needs, score layers (when config.nats is set) included; lm_head.weight only when it is
/// not tied. Ordered as the forward pass uses them.
[[nodiscard]] std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config);

/// "model.layers.3.self_attn.proj_layer.weight"
[[nodiscard]] std::string score_layer_name(int layer);

/// A tensor that old exporters store although it follows from the config (rotary inv_freq): ignored.
[[nodiscard]] bool is_harmless_extra(std::string_view name);

}  // namespace natscope
