// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/model/config_checks.h"
#include "core/model/config_reader.h"
#include "core/model/rope.h"

namespace natscope {
namespace {

using Json = nlohmann::json;

constexpr int max_layers = 1024;
constexpr int max_width = 1 << 20;
constexpr int max_heads = 1 << 12;
constexpr int max_vocab = 1 << 24;
constexpr int min_head_dim = 8;
constexpr int max_head_dim = 256;
constexpr int max_window = 1 << 30;

struct FamilyRow {
  ModelFamily family;
  const char* model_type;
  const char* architecture;
};

constexpr auto families = std::to_array<FamilyRow>({
    {ModelFamily::llama, "llama", "LlamaForCausalLM"},
    {ModelFamily::mistral, "mistral", "MistralForCausalLM"},
    {ModelFamily::phi3, "phi3", "Phi3ForCausalLM"},
    {ModelFamily::qwen2, "qwen2", "Qwen2ForCausalLM"},
    {ModelFamily::qwen3, "qwen3", "Qwen3ForCausalLM"},
    {ModelFamily::smollm3, "smollm3", "SmolLM3ForCausalLM"},
    {ModelFamily::granite, "granite", "GraniteForCausalLM"},
});

Unexpected unsupported(const std::string& what) { return fail(ErrorCode::unsupported_model, "config.json: " + what); }

Expected<FamilyRow> read_family(const ConfigReader& read) {
  NATSCOPE_TRY(const auto architectures, read.texts_or_none("architectures"));
  NATSCOPE_TRY(const auto model_type, read.text_or("model_type", ""));
  if (architectures.size() > 1) return unsupported("architectures names more than one");
  if (architectures.empty() && model_type.empty()) return read.refuse("model_type", "is missing");
  for (const FamilyRow& row : families) {
    const bool type_fits = model_type.empty() || model_type == row.model_type;
    const bool architecture_fits = architectures.empty() || architectures[0] == row.architecture;
    if (type_fits && architecture_fits) return row;
  }
  if (architectures.empty()) return unsupported("model_type " + printable(model_type, 60) + " is not implemented");
  return unsupported("architecture " + printable(architectures[0], 60) +
                     (model_type.empty() ? "" : " of model_type " + printable(model_type, 60)) + " is not implemented");
}

Expected<void> read_attention_sizes(const ConfigReader& read, ModelConfig& config) {
  NATSCOPE_TRY(config.heads, read.integer("num_attention_heads", 1, max_heads));
  // Llama files from before grouped queries do not have the key, nor need Granite's; the other families always wrote
  // it.
  const bool may_miss = config.family == ModelFamily::llama || config.family == ModelFamily::granite;
  if (!read.mentions("num_key_value_heads") && !may_miss) {
    return read.refuse("num_key_value_heads", "is missing");
  }
  NATSCOPE_TRY(config.kv_heads, read.integer_or("num_key_value_heads", config.heads, 1, max_heads));
  if (config.heads % config.kv_heads != 0) {
    return read.refuse("num_attention_heads", "(" + std::to_string(config.heads) + ") is not a multiple of " +
                                                  "num_key_value_heads (" + std::to_string(config.kv_heads) + ")");
  }
  if (read.has("head_dim")) {
    NATSCOPE_TRY(config.head_dim, read.integer("head_dim", 1, max_width));
  } else if (config.family == ModelFamily::qwen3 && !read.mentions("head_dim")) {
    config.head_dim = 128;  // what transformers assumes for Qwen3
  } else if (config.hidden % config.heads == 0) {
    config.head_dim = config.hidden / config.heads;
  } else {
    return read.refuse("hidden_size", "is not a multiple of num_attention_heads, and head_dim is missing");
  }
  if (config.head_dim % 2 != 0) return read.refuse("head_dim", "is odd, which rotary positions cannot be");
  if (config.head_dim < min_head_dim || config.head_dim > max_head_dim) {
    return fail(ErrorCode::unsupported_model,
                "config.json: head_dim " + std::to_string(config.head_dim) + " is outside 8 … 256",
                "use a model whose heads have 8 to 256 numbers");
  }
  if (config.q_rows() > max_width) return read.refuse("num_attention_heads", "times head_dim is too large");
  if (std::int64_t{config.layers} * config.heads > max_head_pairs)
    return read.refuse("num_attention_heads", "times num_hidden_layers is too large");
  return {};
}

/// Which projections have biases and whether q and k are normalised: fixed by the family, where the files say nothing.
Expected<void> read_family_arithmetic(const ConfigReader& read, ModelConfig& config) {
  NATSCOPE_TRY(const bool attention_bias, read.boolean_or("attention_bias", false));
  NATSCOPE_TRY(const bool mlp_bias, read.boolean_or("mlp_bias", false));
  const bool may_have_mlp_bias = config.family == ModelFamily::llama || config.family == ModelFamily::smollm3 ||
                                 config.family == ModelFamily::granite;
  if (mlp_bias && !may_have_mlp_bias) return unsupported("mlp_bias outside Llama, SmolLM3 and Granite");
  if (attention_bias && config.family == ModelFamily::mistral) return unsupported("attention_bias in Mistral");
  if (attention_bias && config.family == ModelFamily::phi3) return unsupported("attention_bias in Phi-3");
  config.qkv_bias = attention_bias || config.family == ModelFamily::qwen2;
  config.o_bias = attention_bias && config.family != ModelFamily::qwen2;
  config.mlp_bias = mlp_bias;
  config.qk_norm = config.family == ModelFamily::qwen3;
  return {};
}

Expected<void> read_end_tokens(const ConfigReader& read, ModelConfig& config) {
  NATSCOPE_TRY(const auto bos, read.integers_or_none("bos_token_id", 0, config.vocab - 1));
  if (bos.size() > 1) return read.refuse("bos_token_id", "must be one integer");
  if (!bos.empty()) config.bos = bos[0];
  NATSCOPE_TRY(config.eos, read.integers_or_none("eos_token_id", 0, config.vocab - 1));
  return {};
}

/// Nothing is read again when a text outgrows LongRoPE's original context: it is known before how long texts may be.
Expected<void> choose_context(ModelConfig& config, int wanted) {
  const int longest = config.context;
  if (wanted > longest) {
    return fail(ErrorCode::usage,
                "a context of " + std::to_string(wanted) + " tokens, but the model's holds " + std::to_string(longest),
                "give at most that many");
  }
  if (wanted > 0) config.context = wanted;
  config.longest_context = longest;
  if (config.rope.kind != RopeKind::longrope) return {};
  config.rope.beyond_original = wanted > config.rope.original_context;
  if (wanted == 0) config.context = std::min(longest, config.rope.original_context);
  return {};
}

}  // namespace

Expected<NatsConfig> parse_nats_config(const Json& nats) {
  const ConfigReader read(nats, ErrorCode::bad_config, "nats");
  if (!nats.is_object()) return fail(ErrorCode::bad_config, "nats must be an object");
  NatsConfig config;
  NATSCOPE_TRY(config.window, read.integer("window", 0, max_window));
  NATSCOPE_TRY(config.global_bias, read.number_or("global_bias", 0.0, -1e6, 1e6));
  NATSCOPE_TRY(config.sparse_regularized_value, read.number_or("sparse_regularized_value", 0.0, -1e6, 1e6));
  return config;
}

Expected<ModelConfig> parse_model_config(const Json& json, int context) {
  const ConfigReader read(json, ErrorCode::bad_config, "config.json");
  if (!json.is_object()) return fail(ErrorCode::bad_config, "config.json holds no object");
  NATSCOPE_TRY(const FamilyRow row, read_family(read));
  NATSCOPE_CHECK(refuse_other_arithmetic(read, row.family));

  ModelConfig config;
  config.family = row.family;
  config.architecture = row.architecture;
  NATSCOPE_TRY(config.layers, read.integer("num_hidden_layers", 1, max_layers));
  NATSCOPE_TRY(config.hidden, read.integer("hidden_size", 1, max_width));
  NATSCOPE_TRY(config.intermediate, read.integer("intermediate_size", 1, max_width * 4));
  NATSCOPE_TRY(config.vocab, read.integer("vocab_size", 1, max_vocab));
  NATSCOPE_TRY(config.context, read.integer("max_position_embeddings", 1, max_model_context));
  const double default_eps =
      config.family == ModelFamily::phi3 ? 1e-5 : 1e-6;  // transformers', where the key is missing
  NATSCOPE_TRY(config.rms_norm_eps, read.number_or("rms_norm_eps", default_eps, 0.0, 1.0));
  NATSCOPE_TRY(config.tied, read.boolean_or("tie_word_embeddings", config.family == ModelFamily::smollm3));
  NATSCOPE_CHECK(read_attention_sizes(read, config));
  NATSCOPE_CHECK(read_family_arithmetic(read, config));
  NATSCOPE_CHECK(read_end_tokens(read, config));
  NATSCOPE_TRY(config.rope, read_rope(read, config));
  NATSCOPE_TRY(config.rotated_layers, read_rotated_layers(read, config));
  NATSCOPE_CHECK(read_multipliers(read, config));
  config.context = rope_context(config.rope, config.context);
  NATSCOPE_TRY(config.context, context_within_sliding_window(read, config));
  NATSCOPE_CHECK(choose_context(config, context));
  NATSCOPE_TRY(const std::string old_dtype, read.text_or("torch_dtype", ""));
  NATSCOPE_TRY(config.stored_dtype, read.text_or("dtype", old_dtype));
  if (const Json* const nats = read.find("nats")) {
    auto block = parse_nats_config(*nats);
    if (!block) return fail(ErrorCode::bad_config, "config.json: " + block.error().message);
    config.nats = *block;
  }
  return config;
}

}  // namespace natscope
