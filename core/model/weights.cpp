// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/weights.h"

namespace natscope {

std::int64_t WeightView::size_bytes() const { return elements() * static_cast<std::int64_t>(item_bytes(dtype)); }

std::int64_t ModelWeights::parameter_count() const {
  std::int64_t count = embed.elements() + norm.elements();
  if (lm_head.data != embed.data) count += lm_head.elements();
  for (const LayerWeights& layer : layers) {
    for (const WeightView* const view :
         {&layer.input_norm, &layer.q, &layer.k, &layer.v, &layer.o, &layer.q_bias, &layer.k_bias, &layer.v_bias,
          &layer.o_bias, &layer.q_norm, &layer.k_norm, &layer.score, &layer.post_attention_norm, &layer.gate, &layer.up,
          &layer.down, &layer.gate_bias, &layer.up_bias, &layer.down_bias}) {
      count += view->elements();
    }
    for (const LoraView* const lora : {&layer.q_lora, &layer.k_lora, &layer.v_lora, &layer.o_lora}) {
      count += lora->a.elements() + lora->b.elements();
    }
  }
  return count;
}

}  // namespace natscope
