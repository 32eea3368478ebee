// SPDX-License-Identifier: GPL-3.0-or-later
/// The method's public adapter file, `adapter_weights.pth`, as an adapter folder that opens: the rules, sections 9, 10.
///
/// Which names it holds, and what they mean:
///   layers.{i}.self_attn.proj_layer.weight              score layers [3 · kv_heads, hidden]
///   layers.{i}.self_attn.{q,k,v,o}_proj.lora_a.weight   [rank, in], .lora_b.weight [out, rank]: the public training
///       code puts torchtune's LoRA around the projections of a Hugging Face model, so rows of q and k stand in that
///       model's order already
///   layers.{i}.attn.…, with output_proj for o_proj      a model in torchtune's own layout: its rotary pairs stand
///       side by side, so rows of the LoRA B factors of q and k are put into Hugging Face's order
/// Anything else is refused, and so is a file whose names do not tell the order.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

/// Window, bias, λ and alpha are not in the file: whoever trained it knows them. Defaults: the paper's and its code's.
struct AdapterConversion {
  std::filesystem::path weights;  ///< adapter_weights.pth
  std::filesystem::path base;     ///< the model folder that it was trained on
  std::filesystem::path out;      ///< the adapter folder; must not hold an adapter yet
  int window = 256;
  double global_bias = 0.0;
  std::optional<double> sparse_regularized_value;  ///< λ, for the record
  double lora_alpha = 16.0;
};

struct ConvertedAdapter {
  int layers = 0;                         ///< with score layers
  int lora_rank = 0;                      ///< 0: no LoRA
  std::vector<std::string> lora_targets;  ///< "q_proj", …
  std::size_t tensors = 0;
  std::string dtype;  ///< "F32", "BF16", …, or "mixed": each tensor keeps its own
};

/// Writes adapter.safetensors and, last, adapter_config.json; nothing when the file does not fit the base.
/// Errors: usage (out holds an adapter, or the base's path is not UTF-8), bad_adapter, those of read_torch_archive(),
/// ModelFolder::open() and writing.
[[nodiscard]] Expected<ConvertedAdapter> convert_adapter(const AdapterConversion& conversion);

}  // namespace natscope
