// SPDX-License-Identifier: GPL-3.0-or-later
/// What a model is: the glossary of dimensions, and config.json read into it.
///
/// Everything that changes the arithmetic is either in here or refused: a ModelConfig that exists can be computed.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

/// Pairs of layer and query head that any model has: sixteen times as many as the largest published one. What comes
/// from outside with more is refused, because tables of all heads are made from it.
inline constexpr std::int64_t max_head_pairs = std::int64_t{1} << 18U;

/// The longest context that a model is believed to have, in tokens.
inline constexpr int max_model_context = 1 << 27;

enum class ModelFamily { llama, mistral, phi3, qwen2, qwen3, smollm3, granite };

enum class RopeKind { none, linear, llama3, yarn, longrope };

/// Rotary position embedding (RoPE); what follows from it: RotaryEmbedding in core/model/rope.h.
struct RopeConfig {
  double theta = 10000.0;
  RopeKind kind = RopeKind::none;
  double factor = 1.0;            ///< linear, llama3, yarn
  double low_freq_factor = 1.0;   ///< llama3
  double high_freq_factor = 4.0;  ///< llama3
  int original_context = 0;       ///< llama3, yarn, longrope: original_max_position_embeddings
  double beta_fast = 32.0;        ///< yarn: pairs that turn more often within the original context are kept
  double beta_slow = 1.0;         ///< yarn: pairs that turn less often are stretched by the factor
  double attention_factor = 1.0;  ///< yarn, longrope: scales what is turned of queries and keys, each
  bool truncate = true;           ///< yarn: whether the ramp between the two begins and ends at whole pairs
  /// Phi-3: how much of each head is turned, its first numbers; the others stay as they are at every position.
  double rotated_part = 1.0;
  /// longrope: what divides each pair's frequency, in texts within the original context and in longer ones. One of them
  /// is taken for all of a text: transformers goes over to the second at a token beyond the original context, and then
  /// computes with keys that were turned by the first.
  std::vector<double> short_factor, long_factor;
  bool beyond_original = false;  ///< longrope: long_factor is taken
};

/// The `nats` block: the rules' W, b and λ.
struct NatsConfig {
  int window = 0;                         ///< W, tokens; 0 is legal
  double global_bias = 0.0;               ///< b, added to the global option's score at inference
  double sparse_regularized_value = 0.0;  ///< λ of training, for the record
};

struct ModelConfig {
  std::string architecture;  ///< "LlamaForCausalLM"
  ModelFamily family = ModelFamily::llama;
  int layers = 0;           ///< num_hidden_layers, 1 … 1024
  int hidden = 0;           ///< E, hidden_size
  int heads = 0;            ///< H, num_attention_heads
  int kv_heads = 0;         ///< K, num_key_value_heads; divides heads
  int head_dim = 0;         ///< D, even, 8 … 256; need not be hidden / heads
  int intermediate = 0;     ///< intermediate_size of the SwiGLU
  int vocab = 0;            ///< vocab_size: rows of the embedding
  int context = 0;          ///< longest sequence, tokens
  int longest_context = 0;  ///< what the model may be opened for: max_position_embeddings, or what is left of it
  double rms_norm_eps = 1e-6;
  RopeConfig rope;
  /// SmolLM3: whether a layer turns queries and keys, [layers]; the others know no positions. Empty: all do.
  std::vector<bool> rotated_layers;
  double embedding_multiplier = 1.0;  ///< Granite: of embeddings
  double residual_multiplier = 1.0;   ///< Granite: of what attention and feed-forward add to the residual stream
  double logits_scaling = 1.0;        ///< Granite: divides logits
  std::optional<double> attention_multiplier;  ///< Granite: of attention's scores; absent: 1/sqrt(D)
  bool tied = false;                           ///< lm_head is the embedding
  bool qkv_bias = false;                       ///< biases on q, k, v projections
  bool o_bias = false;                         ///< bias on the output projection
  bool mlp_bias = false;                       ///< biases on gate, up, down
  bool qk_norm = false;                        ///< RMSNorm over head_dim on q and k, before rotation (Qwen3)
  std::optional<std::int32_t> bos;             ///< bos_token_id
  std::vector<std::int32_t> eos;               ///< eos_token_id; may be several
  std::string stored_dtype;                    ///< what config.json claims: "bfloat16"; empty when it does not
  /// Present when config.json has the block. ModelFolder removes it when the folder has no score layers.
  std::optional<NatsConfig> nats;

  /// Whether files hold q, k and v as one matrix, and gate and up as another: see stored_rows() in tensor_table.h.
  [[nodiscard]] bool stores_fused() const { return family == ModelFamily::phi3; }
  [[nodiscard]] int group() const { return heads / kv_heads; }  ///< g
  /// Of each head in a layer so many numbers are turned by their position, the first ones; 0 where a layer turns none.
  [[nodiscard]] int rotated_dim(std::int32_t layer) const {
    const bool turns = rotated_layers.empty() || rotated_layers[static_cast<std::size_t>(layer)];
    return turns ? static_cast<int>(head_dim * rope.rotated_part) : 0;
  }
  /// The residual stream is computed divided by residual_multiplier. Layers then add to it what they give as it is;
  /// embeddings come in times this factor; and its norms, which take away every factor, with this epsilon.
  [[nodiscard]] double embedding_scale() const { return embedding_multiplier / residual_multiplier; }
  [[nodiscard]] double stream_norm_eps() const { return rms_norm_eps / (residual_multiplier * residual_multiplier); }
  [[nodiscard]] std::int64_t q_rows() const { return std::int64_t{heads} * head_dim; }
  [[nodiscard]] std::int64_t kv_rows() const { return std::int64_t{kv_heads} * head_dim; }
  [[nodiscard]] std::int64_t score_rows() const { return std::int64_t{kv_heads} * 3; }
};

/// Reads a parsed config.json of Llama, Mistral, Phi-3, Qwen2, Qwen3, SmolLM3 or Granite.
///
/// `context`: the longest text that the model is opened for, tokens; 0: all that it has, with LongRoPE the original
/// context. What is longer than that is turned by LongRoPE's long factors.
/// Errors: bad_config (a key that is missing, of the wrong type or out of range), unsupported_model (another
/// architecture, or a setting that changes the arithmetic and is not implemented); both name the key. usage (a context
/// that the model does not have).
[[nodiscard]] Expected<ModelConfig> parse_model_config(const nlohmann::json& config, int context = 0);

/// Reads a `nats` object. Errors: bad_config.
[[nodiscard]] Expected<NatsConfig> parse_nats_config(const nlohmann::json& nats);

/// The config.json of this model; parse_model_config() of it gives the same ModelConfig.
[[nodiscard]] nlohmann::json model_config_json(const ModelConfig& config);

}  // namespace natscope
