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

enum class ModelFamily { llama, mistral, phi3, qwen2, qwen3 };

enum class RopeKind { none, linear, llama3, yarn };

/// Rotary position embedding (RoPE); what follows from it: RotaryEmbedding in core/model/rope.h.
struct RopeConfig {
  double theta = 10000.0;
  RopeKind kind = RopeKind::none;
  double factor = 1.0;            ///< linear, llama3, yarn
  double low_freq_factor = 1.0;   ///< llama3
  double high_freq_factor = 4.0;  ///< llama3
  int original_context = 0;       ///< llama3, yarn: original_max_position_embeddings
  double beta_fast = 32.0;        ///< yarn: pairs that turn more often within the original context are kept
  double beta_slow = 1.0;         ///< yarn: pairs that turn less often are stretched by the factor
  double attention_factor = 1.0;  ///< yarn: scales queries and keys, each
  bool truncate = true;           ///< yarn: whether the ramp between the two begins and ends at whole pairs
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
  int layers = 0;        ///< num_hidden_layers, 1 … 1024
  int hidden = 0;        ///< E, hidden_size
  int heads = 0;         ///< H, num_attention_heads
  int kv_heads = 0;      ///< K, num_key_value_heads; divides heads
  int head_dim = 0;      ///< D, even, 8 … 256; need not be hidden / heads
  int intermediate = 0;  ///< intermediate_size of the SwiGLU
  int vocab = 0;         ///< vocab_size: rows of the embedding
  int context = 0;       ///< max_position_embeddings: longest sequence, tokens
  double rms_norm_eps = 1e-6;
  RopeConfig rope;
  bool tied = false;                ///< lm_head is the embedding
  bool qkv_bias = false;            ///< biases on q, k, v projections
  bool o_bias = false;              ///< bias on the output projection
  bool mlp_bias = false;            ///< biases on gate, up, down
  bool qk_norm = false;             ///< RMSNorm over head_dim on q and k, before rotation (Qwen3)
  std::optional<std::int32_t> bos;  ///< bos_token_id
  std::vector<std::int32_t> eos;    ///< eos_token_id; may be several
  std::string stored_dtype;         ///< what config.json claims: "bfloat16"; empty when it does not
  /// Present when config.json has the block. ModelFolder removes it when the folder has no score layers.
  std::optional<NatsConfig> nats;

  /// Whether files hold q, k and v as one matrix, and gate and up as another: see stored_rows() in tensor_table.h.
  [[nodiscard]] bool stores_fused() const { return family == ModelFamily::phi3; }
  [[nodiscard]] int group() const { return heads / kv_heads; }  ///< g
  [[nodiscard]] std::int64_t q_rows() const { return std::int64_t{heads} * head_dim; }
  [[nodiscard]] std::int64_t kv_rows() const { return std::int64_t{kv_heads} * head_dim; }
  [[nodiscard]] std::int64_t score_rows() const { return std::int64_t{kv_heads} * 3; }
};

/// Reads a parsed config.json of Llama, Mistral, Phi-3, Qwen2 or Qwen3.
/// Errors: bad_config (a key that is missing, of the wrong type or out of range), unsupported_model (another
/// architecture, or a setting that changes the arithmetic and is not implemented); both name the key.
[[nodiscard]] Expected<ModelConfig> parse_model_config(const nlohmann::json& config);

/// Reads a `nats` object. Errors: bad_config.
[[nodiscard]] Expected<NatsConfig> parse_nats_config(const nlohmann::json& nats);

/// The config.json of this model; parse_model_config() of it gives the same ModelConfig.
[[nodiscard]] nlohmann::json model_config_json(const ModelConfig& config);

}  // namespace natscope
