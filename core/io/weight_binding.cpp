// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/weight_binding.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <unordered_set>

#include "core/model/tensor_table.h"

namespace natscope {
namespace {

constexpr const char* embed_name = "model.embed_tokens.weight";
constexpr const char* head_name = "lm_head.weight";

bool has_score_layers(const ModelConfig& config, const WeightFiles& base) {
  for (int layer = 0; layer < config.layers; ++layer) {
    if (base.find(score_layer_name(layer)) != nullptr) return true;
  }
  return false;
}

class Binder {
 public:
  Binder(const ModelConfig& config, const WeightFiles& base, const Adapter* adapter)
      : config_(config), base_(base), adapter_(adapter) {}

  Expected<BoundWeights> bind() {
    ModelWeights& weights = bound_.weights;
    NATSCOPE_TRY(weights.embed, base_view(embed_name, {config_.vocab, config_.hidden}));
    for (int layer = 0; layer < config_.layers; ++layer) {
      NATSCOPE_TRY(auto views, bind_layer(layer));
      weights.layers.push_back(views);
    }
    NATSCOPE_TRY(weights.norm, base_view("model.norm.weight", {config_.hidden}));
    weights.lm_head = weights.embed;
    if (!config_.tied) {
      NATSCOPE_TRY(weights.lm_head, base_view(head_name, {config_.vocab, config_.hidden}));
    }
    NATSCOPE_CHECK(refuse_unused());
    return std::move(bound_);
  }

 private:
  /// Shapes stand in tensor_table too, which writers use; a test holds the two together.
  Expected<LayerWeights> bind_layer(int layer) {
    const std::int64_t hidden = config_.hidden;
    const std::int64_t inner = config_.intermediate;
    const std::int64_t q_rows = config_.q_rows();
    const std::int64_t kv_rows = config_.kv_rows();
    const std::string block = "model.layers." + std::to_string(layer) + ".";
    const auto get = [&](const char* name, std::vector<std::int64_t> shape) { return base_view(block + name, shape); };

    LayerWeights views;
    NATSCOPE_TRY(views.input_norm, get("input_layernorm.weight", {hidden}));
    NATSCOPE_TRY(views.q, get("self_attn.q_proj.weight", {q_rows, hidden}));
    NATSCOPE_TRY(views.k, get("self_attn.k_proj.weight", {kv_rows, hidden}));
    NATSCOPE_TRY(views.v, get("self_attn.v_proj.weight", {kv_rows, hidden}));
    NATSCOPE_TRY(views.o, get("self_attn.o_proj.weight", {hidden, q_rows}));
    if (config_.qkv_bias) {
      NATSCOPE_TRY(views.q_bias, get("self_attn.q_proj.bias", {q_rows}));
      NATSCOPE_TRY(views.k_bias, get("self_attn.k_proj.bias", {kv_rows}));
      NATSCOPE_TRY(views.v_bias, get("self_attn.v_proj.bias", {kv_rows}));
    }
    if (config_.o_bias) {
      NATSCOPE_TRY(views.o_bias, get("self_attn.o_proj.bias", {hidden}));
    }
    if (config_.qk_norm) {
      NATSCOPE_TRY(views.q_norm, get("self_attn.q_norm.weight", {config_.head_dim}));
      NATSCOPE_TRY(views.k_norm, get("self_attn.k_norm.weight", {config_.head_dim}));
    }
    NATSCOPE_TRY(views.post_attention_norm, get("post_attention_layernorm.weight", {hidden}));
    NATSCOPE_TRY(views.gate, get("mlp.gate_proj.weight", {inner, hidden}));
    NATSCOPE_TRY(views.up, get("mlp.up_proj.weight", {inner, hidden}));
    NATSCOPE_TRY(views.down, get("mlp.down_proj.weight", {hidden, inner}));
    if (config_.mlp_bias) {
      NATSCOPE_TRY(views.gate_bias, get("mlp.gate_proj.bias", {inner}));
      NATSCOPE_TRY(views.up_bias, get("mlp.up_proj.bias", {inner}));
      NATSCOPE_TRY(views.down_bias, get("mlp.down_proj.bias", {hidden}));
    }
    if (config_.nats) {
      NATSCOPE_TRY(views.score, score_view(layer));
    }
    NATSCOPE_CHECK(bind_lora(layer, views));
    return views;
  }

  Expected<WeightView> score_view(int layer) {
    const std::vector<std::int64_t> shape{config_.score_rows(), config_.hidden};
    if (adapter_ == nullptr || !adapter_->has_score_layers) return base_view(score_layer_name(layer), shape);
    return adapter_view(score_layer_name(layer), shape);
  }

  Expected<void> bind_lora(int layer, LayerWeights& views) {
    if (adapter_ == nullptr || !adapter_->config.lora) return {};
    const LoraConfig& lora = *adapter_->config.lora;
    for (const std::string& target : lora.targets) {
      const bool is_q = target == "q_proj";
      const bool is_o = target == "o_proj";
      LoraView& place = is_q                 ? views.q_lora
                        : target == "k_proj" ? views.k_lora
                        : target == "v_proj" ? views.v_lora
                                             : views.o_lora;
      const std::int64_t in = is_o ? config_.q_rows() : config_.hidden;
      const std::int64_t out = is_o ? config_.hidden : is_q ? config_.q_rows() : config_.kv_rows();
      NATSCOPE_TRY(place.a, adapter_view(lora_name(layer, target, 'a'), {lora.rank, in}));
      NATSCOPE_TRY(place.b, adapter_view(lora_name(layer, target, 'b'), {out, lora.rank}));
      place.scale = static_cast<float>(lora.alpha / lora.rank);
    }
    return {};
  }

  Expected<WeightView> base_view(const std::string& name, const std::vector<std::int64_t>& shape) {
    const auto [stored, first_row] = stored_rows(config_, {name, shape});
    used_.insert(stored.name);
    const TensorInfo* const tensor = base_.find(stored.name);
    NATSCOPE_CHECK(check_stored(tensor, stored.name, stored.shape));
    if (stored.name == name) return view(base_, *tensor);
    const std::size_t row_bytes = tensor->data.size() / static_cast<std::size_t>(stored.shape[0]);
    const auto begin = static_cast<std::size_t>(first_row) * row_bytes;
    const auto size = static_cast<std::size_t>(shape[0]) * row_bytes;
    return view(base_, {name, tensor->dtype, shape, tensor->data.subspan(begin, size)});
  }

  Expected<WeightView> adapter_view(const std::string& name, const std::vector<std::int64_t>& shape) {
    const TensorInfo* const tensor = find_adapter_tensor(adapter_->weights, name);
    NATSCOPE_CHECK(check_stored(tensor, name, shape));
    return view(adapter_->weights, *tensor);
  }

  static Expected<void> check_stored(const TensorInfo* tensor, const std::string& name,
                                     const std::vector<std::int64_t>& shape) {
    if (tensor == nullptr) return fail(ErrorCode::missing_tensor, "tensor " + name + " is missing");
    if (tensor->shape != shape) {
      return fail(ErrorCode::bad_tensor_shape, "tensor " + name + " is " + shape_text(tensor->shape) + ", not " +
                                                   shape_text(shape) + " as config.json says");
    }
    if (!is_weight_dtype(tensor->dtype)) {
      return fail(ErrorCode::bad_tensor_dtype,
                  "tensor " + name + " is " + natscope::name(tensor->dtype) + ", which weights cannot be");
    }
    return {};
  }

  WeightView view(const WeightFiles& files, const TensorInfo& tensor) {
    WeightView result;
    result.dtype = tensor.dtype;
    result.rows = tensor.shape.size() == 1 ? 1 : tensor.shape[0];
    result.cols = tensor.shape.back();
    const auto address = reinterpret_cast<std::uintptr_t>(tensor.data.data());
    result.mapped = address % item_bytes(tensor.dtype) == 0;
    result.data = tensor.data.data();
    if (!result.mapped) {
      auto copy = std::make_unique<std::byte[]>(tensor.data.size());
      std::memcpy(copy.get(), tensor.data.data(), tensor.data.size());
      files.release_pages(tensor);
      result.data = copy.get();
      bound_.copies.push_back(std::move(copy));
    }
    return result;
  }

  Expected<void> refuse_unused() const {
    for (const SafetensorsFile& file : base_.files()) {
      for (const TensorInfo& tensor : file.tensors()) {
        if (used_.contains(tensor.name) || is_harmless_extra(tensor.name)) continue;
        if (config_.tied && tensor.name == head_name) {
          NATSCOPE_CHECK(compare_tied_head(tensor));
          continue;
        }
        if (is_replaced_score_layer(tensor.name)) continue;
        return fail(ErrorCode::unexpected_tensor,
                    "tensor " + printable(tensor.name) + " has no place in this model's arithmetic");
      }
    }
    return {};
  }

  /// A stored head that differs from the embedding would be another model than the config tells.
  Expected<void> compare_tied_head(const TensorInfo& head) const {
    const TensorInfo* const embed = base_.find(embed_name);
    const bool same = embed != nullptr && embed->dtype == head.dtype && embed->shape == head.shape &&
                      std::equal(embed->data.begin(), embed->data.end(), head.data.begin(), head.data.end());
    if (same) return {};
    return fail(ErrorCode::unexpected_tensor,
                "lm_head.weight differs from the embedding, but config.json says they are tied",
                "set tie_word_embeddings to false");
  }

  bool is_replaced_score_layer(const std::string& name) const {
    if (adapter_ == nullptr || !adapter_->has_score_layers) return false;
    for (int layer = 0; layer < config_.layers; ++layer) {
      if (name == score_layer_name(layer)) return true;
    }
    return false;
  }

  const ModelConfig& config_;
  const WeightFiles& base_;
  const Adapter* adapter_;
  BoundWeights bound_;
  std::unordered_set<std::string> used_;
};

}  // namespace

Expected<void> settle_score_layers(ModelConfig& config, const WeightFiles& base, const Adapter* adapter) {
  if (adapter != nullptr && adapter->has_score_layers) {
    config.nats = adapter->config.nats;
    return {};
  }
  const bool has_own = has_score_layers(config, base);
  if (adapter != nullptr && adapter->config.nats) {
    const NatsConfig& given = *adapter->config.nats;
    const bool is_own =
        has_own && config.nats && config.nats->window == given.window && config.nats->global_bias == given.global_bias;
    if (!is_own)
      return fail(ErrorCode::bad_adapter, "adapter_config.json: a nats block without score layers in the adapter",
                  "take the block out, or put the score layers in");
  }
  if (!has_own) {
    config.nats.reset();
    return {};
  }
  if (!config.nats) {
    return fail(ErrorCode::bad_config, "config.json: the weights have score layers, but nats.window is missing",
                "add the nats block that the model was trained with");
  }
  return {};
}

Expected<BoundWeights> bind_weights(const ModelConfig& config, const WeightFiles& base, const Adapter* adapter) {
  return Binder(config, base, adapter).bind();
}

}  // namespace natscope
