// SPDX-License-Identifier: GPL-3.0-or-later
/// A model on disk: config, weights, tokenizer and generation defaults, all checked before anything is handed out.
///
///     NATSCOPE_TRY(auto folder, ModelFolder::open("resources/demo"));
///     const WeightView& q = folder.weights().layers[0].q;
///
/// Layout: Hugging Face's (the rules, section 10). Weights are one `model.safetensors`, or the only `*.safetensors` in
/// the folder, or shards under `model.safetensors.index.json`; they are mapped, not read. Every tensor that the config
/// needs must be there with its shape in f32, bf16 or f16; a tensor that the arithmetic would not use is refused, save
/// for rotary inv_freq and a stored lm_head of a tied model, which must equal the embedding.
///
/// An adapter folder (`adapter_config.json`, `adapter.safetensors`) opens on its base: its score layers and nats block
/// replace the base's, LoRA factors are exposed beside the projections they change.
///
/// Cheap to copy: copies share everything. Immutable, so any thread may read.
/// Errors of open(): every file and folder code of core/base/error.h from file_not_found to bad_tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/io/safetensors.h"
#include "core/model/config.h"
#include "core/model/weights.h"
#include "core/tokenizer/tokenizer.h"

namespace natscope {

/// What generation_config.json sets; values that it does not set are absent. do_sample = false asks for greedy.
struct GenerationDefaults {
  std::optional<bool> do_sample;
  std::optional<double> temperature;
  std::optional<int> top_k;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
};

struct LoraConfig {
  int rank = 0;
  double alpha = 0.0;
  std::vector<std::string> targets;  ///< of "q_proj", "k_proj", "v_proj", "o_proj"
};

struct AdapterConfig {
  std::string base_model;  ///< as written; for the record
  std::optional<NatsConfig> nats;
  std::optional<LoraConfig> lora;
};

/// The tokenizer of a model's folder: its tokenizer.model, or its tokenizer.json where there is none of a kind that is
/// read. Errors: missing_tokenizer, unsupported_tokenizer, those of Tokenizer::load.
[[nodiscard]] Expected<Tokenizer> read_tokenizer(const std::filesystem::path& folder);

class ModelFolder {
 public:
  /// `path` may itself be an adapter folder: then its base_model (a folder, relative to the adapter's) is opened.
  /// `context`: the longest text that the model is opened for, tokens (parse_model_config()).
  [[nodiscard]] static Expected<ModelFolder> open(const std::filesystem::path& path,
                                                  const std::optional<std::filesystem::path>& adapter = {},
                                                  int context = 0);

  /// config().nats is set exactly when there are score layers.
  [[nodiscard]] const ModelConfig& config() const;
  [[nodiscard]] bool has_score_layers() const { return config().nats.has_value(); }
  [[nodiscard]] const ModelWeights& weights() const;
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] const GenerationDefaults& generation_defaults() const;

  /// The token in front of every text: what the template of a tokenizer.json puts there; otherwise config's
  /// bos_token_id, else the tokenizer's own, unless tokenizer_config.json says that none is added (`add_bos_token`; a
  /// tokenizer.json beside a tokenizer_config.json that says nothing adds none, as in Hugging Face's library). Absent
  /// when there is none.
  [[nodiscard]] std::optional<std::int32_t> bos_id() const;
  /// Tokens that end a text: config's and generation_config's eos_token_id, else the tokenizer's.
  [[nodiscard]] const std::vector<std::int32_t>& eos_ids() const;

  /// A tensor by its stored name, the adapter's before the base's. Errors: missing_tensor.
  [[nodiscard]] Expected<TensorInfo> tensor(std::string_view name) const;

  /// In the order of their names; the adapter's last.
  [[nodiscard]] const std::vector<std::filesystem::path>& weight_files() const;

  /// Bytes of all stored tensors, the adapter's included.
  [[nodiscard]] std::uint64_t weight_bytes() const;

  /// SHA-256 over the weight files in the order of their names (then the adapter's); 64 hexadecimal digits. Computed
  /// at the first call, which reads every file once, piece by piece. Threads: any; the first computes, others wait.
  [[nodiscard]] std::string sha256() const;

  /// The dtype of most weight bytes: "float32", "bfloat16" or "float16".
  [[nodiscard]] std::string weight_dtype() const;

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] const std::optional<std::filesystem::path>& adapter_path() const;
  [[nodiscard]] const std::optional<AdapterConfig>& adapter() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace natscope
