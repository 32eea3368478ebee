// SPDX-License-Identifier: GPL-3.0-or-later
/// The tensors of a model that distillation reads, by the names that files give them. Private to core/train.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "core/model/weights.h"

namespace natscope::train {

/// Undefined where a model has none.
struct LayerTensors {
  at::Tensor input_norm, q, k, v, o, q_bias, k_bias, v_bias, o_bias, q_norm, k_norm;
  at::Tensor post_attention_norm, gate, up, down, gate_bias, up_bias, down_bias;
  at::Tensor score;  // no base of distillation has it
  at::Tensor q_lora_a, q_lora_b, k_lora_a, k_lora_b, v_lora_a, v_lora_b, o_lora_a, o_lora_b;  // student only
};

struct ModelTensors {
  at::Tensor embed, norm, lm_head;
  std::vector<LayerTensors> layers;

  /// The place of the tensor that is called so. Null: no model has one of that name, or this one has fewer layers.
  [[nodiscard]] at::Tensor* find(const std::string& name);
  [[nodiscard]] const at::Tensor* find(const std::string& name) const;
};

/// Of a tensor's name; nothing where it belongs to no layer.
[[nodiscard]] std::optional<int> layer_of(const std::string& name);

/// Views of the weights where they lie, in the type that they are stored in: valid as long as their folder. LibTorch
/// has no read-only tensors; nothing may write to these.
[[nodiscard]] ModelTensors stored_tensors(const ModelWeights& weights);

/// Copies on `device`, tied matrices once; the same tensors where they are there already.
[[nodiscard]] ModelTensors on_device(const ModelTensors& tensors, at::Device device);

}  // namespace natscope::train
