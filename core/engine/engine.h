// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/device.h"
#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "core/cache/role_plan.h"
#include "core/explore/attention_tile.h"
#include "core/explore/sequence_record.h"
#include "core/model/config.h"
#include "core/sampling/sampler.h"
#include "core/sampling/stop_reason.h"
#include "kernels/element_type.h"
#include "kernels/views.h"

namespace natscope {

class Tokenizer;
class TraceStore;
class ModelFolder;

/// What the chunks of a prompt attend with on a GPU. `own` is the model; the others are for measurements only.
enum class PromptAttention : std::uint8_t {
  own,    ///< the backend's, over what the cache holds
  flash,  ///< LibTorch's flash attention over all tokens, to compare with: chunks of two tokens and more, in bf16,
          ///< under plans that know no roles but Global; nothing can be generated
  alone,  ///< every chunk attends to itself alone: fills a cache quickly, with numbers that mean nothing
};

struct EngineOptions {
  std::filesystem::path model{};
  std::optional<std::filesystem::path> adapter{};
  int context = 0;  ///< tokens, at most the model's; 0: as ModelFolder::open() takes it
  Device device = Device::automatic;
  std::optional<kernels::ElementType> dtype{};    ///< of activations and cache; unset: f32 on a CPU, bf16 on a GPU
  int threads = 0;                                ///< 0: one per core
  std::int64_t trace_store_bytes = 512LL << 20U;  ///< 0: maps are recomputed when they are asked for
  /// Opens only the model's first `layers` layers, to draw their maps: record, cache and accounting cover those; there
  /// are no logits, and nothing can be generated. 0, or more than the model has: all.
  std::int32_t layers = 0;
  /// The one layer whose rows the trace store keeps, for a picture of it alone; unset: all, as they fit.
  std::optional<LayerId> stored_layer{};
  PromptAttention prompt_attention = PromptAttention::own;
  std::filesystem::path device_module{};  ///< of the GPU backend; empty: libnatscope_cuda.so beside the program
};

/// Progress, in tokens, of reading a text again because a map's rows were given up; after each chunk.
using ReplayProgress = std::function<void(std::int64_t done, std::int64_t total)>;

struct PrefillOptions {
  std::int64_t chunk = 512;     ///< tokens per pass, >= 1
  std::int32_t candidates = 0;  ///< kept per prompt token
  /// Also compute each prompt token's probability given those before it; its loss is −ln of it. candidates and
  /// on_logits imply it.
  bool probabilities = false;
  /// Tokens; at the beginning, in every layer of a chunk (as many tokens as the chunk's layers so far amount to), and
  /// after each chunk. On the thread of the pass, with nothing locked.
  std::function<void(std::int64_t done, std::int64_t total)> on_progress{};
  /// When set: logits [n, vocab] of positions first … first + n - 1 (all of them; without it only the last row is
  /// computed).
  std::function<Expected<void>(TokenPos first, std::int64_t n, std::span<const float> logits)> on_logits{};
};

struct GenerateOptions {
  std::int64_t max_new_tokens = 200;
  SamplingOptions sampling{};
  std::vector<std::string> stop_strings{};
  std::int32_t candidates = 8;  ///< kept per token for the token panel
  /// After each new token was processed. `text` is what can be shown since the last call: whole characters only.
  std::function<void(const TokenFrame& frame, std::string_view text)> on_token{};
};

struct GenerateResult {
  std::vector<std::int32_t> tokens;  ///< generated, a final end token included
  std::string text;                  ///< without an end token; whole characters only
  StopReason reason = StopReason::max_new_tokens;
  double decode_s = 0;
};

/// One model and one sequence: opens a folder, prefills, steps, generates, and draws maps of what it saw.
///
///   auto engine = Engine::open({.model = "resources/demo"}, {});
///   (*engine)->start({});                                  // fresh cache, the model's own roles
///   (*engine)->prefill(tokens, {}, stop);
///   auto result = (*engine)->generate({.max_new_tokens = 64}, stop);
///
/// One thread at a time, except tile(), weights() and stop tokens, which any thread may use while another one
/// reads or writes a text. A stop answers within 100 ms: it is looked at once a layer.
class Engine {
 public:
  /// `automatic` takes the GPU where the backend, a driver, a GPU and enough of its memory are, else the CPU, and logs
  /// why. Errors: all of ModelFolder::open, device_unavailable, out_of_memory, interrupted.
  [[nodiscard]] static Expected<std::unique_ptr<Engine>> open(const EngineOptions& options, std::stop_token stop);
  /// What can be refused before a weight takes memory: the options, the folder, a device that is not there. A program
  /// that has a model open asks first and lets go of it afterwards; two need not fit. Errors: as open().
  [[nodiscard]] static Expected<void> check_openable(const EngineOptions& options);
  ~Engine();

  [[nodiscard]] const ModelConfig& config() const;
  [[nodiscard]] const ModelFolder& folder() const;
  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] Device device() const;  ///< cpu or cuda, never automatic
  [[nodiscard]] kernels::ElementType dtype() const;
  [[nodiscard]] const CacheGeometry& geometry() const;

  /// Text to tokens: the beginning token in front where the tokenizer has one, no end token.
  /// Errors: bad_text (empty, not UTF-8), prompt_too_long.
  [[nodiscard]] Expected<std::vector<std::int32_t>> tokenize(std::string_view text) const;

  /// Tokens of a text that prefill() is to go on with behind the last token, or behind `first`, which then comes first:
  /// see follow_up_tokens(). Errors: as tokenize(); prompt_too_long where the context has no room for it; bad_position
  /// (nothing was prefilled).
  [[nodiscard]] Expected<std::vector<std::int32_t>> tokenize_follow_up(std::string_view text,
                                                                       std::optional<std::int32_t> first = {}) const;

  /// Forgets the sequence and begins a new one under a plan, for a prompt of at least so many tokens. What is refused
  /// leaves the old sequence as it was. Errors: as RoleDecider::create; bad_roles (a role array that is shorter than
  /// the prompt); usage (a plan that the prompt attention cannot do).
  [[nodiscard]] Expected<void> start(RolePlan plan, std::int64_t prompt_tokens = 0);

  /// Processes tokens in chunks. May be called again to go on. What the first prefill that comes to its end has read is
  /// the prompt, behind which SnapKV and its like drop, once; what follows stays whole. On an error or a stop the
  /// sequence stands after the last whole chunk. Errors: bad_token_id, prompt_too_long (past the context), bad_roles,
  /// out_of_memory, interrupted.
  [[nodiscard]] Expected<void> prefill(std::span<const std::int32_t> tokens, const PrefillOptions& options,
                                       std::stop_token stop);

  /// Processes one token through the cache. Errors as prefill. `generated` marks its frame.
  [[nodiscard]] Expected<void> step(std::int32_t token, bool generated, std::int32_t candidates, std::stop_token stop);

  /// Samples and steps until something ends it; every token that is returned was processed, the last one too.
  /// A stop is no error here: the result says `interrupted` and holds what there is. Errors: as step; bad_position
  /// (nothing was prefilled).
  [[nodiscard]] Expected<GenerateResult> generate(const GenerateOptions& options, std::stop_token stop);

  /// logits [vocab] after the last processed token; empty before the first one.
  [[nodiscard]] std::span<const float> logits() const;
  [[nodiscard]] const SequenceRecord& record() const;
  [[nodiscard]] CacheCounts counts() const;
  /// W in force, or nothing when every role is global or the policy has none (full, those without roles).
  [[nodiscard]] std::optional<std::int64_t> window() const;
  /// Seconds of wall time spent in prefill() since start().
  [[nodiscard]] double prefill_s() const;

  /// A tile of a head's map, from the trace store or by replaying the layer's tokens with their recorded roles, of
  /// which `on_replay` is told on this thread. Errors: bad_layer, bad_head, bad_position, interrupted (also: another
  /// text was begun meanwhile), out_of_memory, internal. Under policies without roles the mask is what was held when
  /// each query came.
  /// `other_last_query`: as TraceStore::tile takes it.
  [[nodiscard]] Expected<AttentionTile> tile(const TileKey& key, std::stop_token stop,
                                             const ReplayProgress& on_replay = {},
                                             std::span<const std::int32_t> other_last_query = {}) const;

  /// A rectangle of weights, first_query … and first_key …, out [queries, keys]; visible may be empty (data ==
  /// nullptr). Errors: as tile().
  [[nodiscard]] Expected<void> weights(LayerId layer, HeadId head, TokenPos first_query, TokenPos first_key,
                                       kernels::View<float, 2> out, kernels::View<std::uint8_t, 2> visible,
                                       std::stop_token stop, const ReplayProgress& on_replay = {}) const;

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace natscope
