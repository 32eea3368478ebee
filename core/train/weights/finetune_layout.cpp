// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/finetune_layout.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/io/adapter.h"
#include "core/model/tensor_table.h"

namespace natscope::train {

namespace {

bool is_norm(std::string_view name) { return name.ends_with("norm.weight") || name.ends_with(".bias"); }

}  // namespace

ParameterLayout finetune_layout(const ModelConfig& base, const FinetuneOptions& options) {
  ParameterLayout layout;
  const auto add = [&](std::string name, std::vector<std::int64_t> shape, ParameterKind kind) {
    layout.begin_block();
    layout.add(std::move(name), std::move(shape), kind);
  };
  if (options.trained == Trained::all) {
    ModelConfig plain = base;
    plain.nats.reset();
    for (const ExpectedTensor& tensor : expected_tensors(plain)) {
      // The loss ends before the output matrix: one of its own would only decay. So would the rows of tokens that the
      // text does not have, which is why embeddings count as norms here: without decay.
      if (tensor.name == "lm_head.weight") continue;
      const bool decays = !is_norm(tensor.name) && tensor.name != "model.embed_tokens.weight";
      add(tensor.name, tensor.shape, decays ? ParameterKind::matrix : ParameterKind::norm);
    }
  }
  if (options.trained == Trained::lora) {
    for (int layer = 0; layer < base.layers; ++layer) {
      for (const std::string& target : options.lora_targets) {
        const std::int64_t in = target == "o_proj" ? base.q_rows() : base.hidden;
        const std::int64_t out = target == "o_proj" ? base.hidden : target == "q_proj" ? base.q_rows() : base.kv_rows();
        add(lora_name(layer, target, 'a'), {options.lora_rank, in}, ParameterKind::matrix);
        add(lora_name(layer, target, 'b'), {out, options.lora_rank}, ParameterKind::matrix);
      }
    }
  }
  for (int layer = 0; layer < base.layers; ++layer) {
    add(score_layer_name(layer), {base.score_rows(), base.hidden}, ParameterKind::score);
  }
  layout.begin_block();
  return layout;
}

}  // namespace natscope::train
