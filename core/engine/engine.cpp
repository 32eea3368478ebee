// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/engine.h"

#include <omp.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/cancel.h"
#include "core/base/grouped_digits.h"
#include "core/base/log.h"
#include "core/cache/kernel_status.h"
#include "core/device/device_module.h"
#include "core/engine/engine_state.h"
#include "core/engine/passes/flash_attention.h"
#include "core/model/context_hint.h"
#include "core/tokenizer/follow_up_tokens.h"

namespace natscope {

namespace {

constexpr int most_threads = 1024;  // OpenMP ends the program when the system refuses one more

Expected<void> check_options(const EngineOptions& options) {
  if (options.threads < 0 || options.threads > most_threads) {
    return fail(ErrorCode::usage, std::to_string(options.threads) + " threads",
                "give 1 to " + std::to_string(most_threads) + " threads, or 0 for one per core");
  }
  if (options.trace_store_bytes < 0)
    return fail(ErrorCode::usage, "trace_store_bytes is " + std::to_string(options.trace_store_bytes),
                "give a number of bytes, or 0 for none");
  if (options.prompt_attention != PromptAttention::own && options.device != Device::cuda)
    return fail(ErrorCode::usage, "another attention than the engine's own is for GPUs", "use --device cuda");
  return {};
}

bool may_do_without(const EngineOptions& options, const Error& error) {
  return options.device == Device::automatic &&
         (error.code == ErrorCode::device_unavailable || error.code == ErrorCode::out_of_memory);
}

/// The device that was asked for; null: the CPU.
Expected<std::unique_ptr<DeviceModule>> open_device(const EngineOptions& options) {
  if (options.device == Device::cpu) return nullptr;
  Expected<std::unique_ptr<DeviceModule>> module = DeviceModule::open(options.device_module);
  if (module || !may_do_without(options, module.error())) return module;
  // A build without the backend computes on the CPU by itself: nothing that anybody needs to be told each time.
  const bool is_there = DeviceModule::is_there(options.device_module);
  log(is_there ? LogLevel::warning : LogLevel::info, "computing on the CPU: " + module.error().message);
  return nullptr;
}

/// No text above this is tokenized, which takes a hundred times its size in memory: the context full of the longest
/// piece, and a mebibyte for what normalisation takes away.
std::size_t most_prompt_bytes(const Tokenizer& tokenizer, std::int64_t context) {
  std::size_t longest = 0;
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) longest = std::max(longest, tokenizer.piece_bytes(id).size());
  return (std::size_t{1} << 20U) + static_cast<std::size_t>(context) * longest;
}

Expected<void> check_prompt(std::string_view text, const Tokenizer& tokenizer, const ModelConfig& config) {
  if (text.empty()) return fail(ErrorCode::bad_text, "the text is empty");
  if (text.size() <= most_prompt_bytes(tokenizer, config.context)) return {};
  return fail(ErrorCode::prompt_too_long,
              grouped_digits(static_cast<std::int64_t>(text.size())) + " bytes, but the model's context holds " +
                  grouped_digits(config.context) + " tokens",
              context_hint(config, "shorten the prompt"));
}

}  // namespace

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

Expected<std::unique_ptr<Engine>> Engine::open(const EngineOptions& options, std::stop_token stop) {
  return guarded([&]() -> Expected<std::unique_ptr<Engine>> {
    NATSCOPE_CHECK(check_options(options));
    const int threads = options.threads > 0 ? options.threads : omp_get_num_procs();
    NATSCOPE_CHECK(check_threads(threads));
    use_threads(threads);
    NATSCOPE_TRY(ModelFolder folder, ModelFolder::open(options.model, options.adapter, options.context));
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_TRY(std::unique_ptr<DeviceModule> module, open_device(options));

    const ModelConfig& config = folder.config();
    const std::int32_t layers = options.layers > 0 ? std::min(options.layers, config.layers) : config.layers;
    const bool on_device = module != nullptr;
    const CacheGeometry geometry{
        layers, config.kv_heads, config.head_dim,
        options.dtype.value_or(on_device ? kernels::ElementType::bf16 : kernels::ElementType::f32)};
    const auto products = on_device ? PreparedWeights::Products::device : PreparedWeights::Products::cpu;
    NATSCOPE_TRY(PreparedWeights weights,
                 PreparedWeights::create(folder.config(), folder.weights(), layers, geometry.dtype, products, stop));
    auto state = std::make_unique<State>(std::move(folder), std::move(weights), geometry, threads,
                                         options.trace_store_bytes, options.stored_layer);
    const auto open_on_cpu = [&](const Error& why) {
      log(LogLevel::warning, "computing on the CPU: " + why.message);
      state.reset();  // two copies of the weights need not fit
      EngineOptions on_cpu = options;
      on_cpu.device = Device::cpu;
      return open(on_cpu, stop);
    };
    if (on_device) {
      auto pass = DevicePass::create(std::move(module), state->folder.config(), state->weights, geometry, stop);
      if (!pass && may_do_without(options, pass.error())) return open_on_cpu(pass.error());
      NATSCOPE_TRY(state->device, std::move(pass));
      if (options.prompt_attention == PromptAttention::alone) NATSCOPE_CHECK(state->device->attend_alone());
      if (options.prompt_attention == PromptAttention::flash) {
        NATSCOPE_TRY(auto flash, open_flash_attention(state->device->module(), state->folder.config(), geometry));
        state->device->attend_with(std::move(flash));
      }
    }
    const kernels::KvCacheShape shape{geometry.layers, geometry.kv_heads, geometry.head_dim, geometry.dtype};
    NATSCOPE_CHECK(from_status(kernels::KvCache::create(shape, state->cache), "cache"));
    RolePlan plan;
    if (options.prompt_attention == PromptAttention::flash) plan.policy.kind = Policy::Kind::full;
    const Expected<void> started = state->start(std::move(plan));  // a GPU's cache takes memory here
    if (!started && on_device && may_do_without(options, started.error())) return open_on_cpu(started.error());
    NATSCOPE_CHECK(started);
    return std::unique_ptr<Engine>(new Engine(std::move(state)));
  });
}

const ModelConfig& Engine::config() const { return state_->folder.config(); }
const ModelFolder& Engine::folder() const { return state_->folder; }
const Tokenizer& Engine::tokenizer() const { return state_->folder.tokenizer(); }
Device Engine::device() const { return state_->device ? Device::cuda : Device::cpu; }
kernels::ElementType Engine::dtype() const { return state_->geometry.dtype; }
const CacheGeometry& Engine::geometry() const { return state_->geometry; }

Expected<std::vector<std::int32_t>> Engine::tokenize(std::string_view text) const {
  NATSCOPE_CHECK(check_prompt(text, tokenizer(), config()));
  NATSCOPE_TRY(std::vector<std::int32_t> tokens, tokenizer().encode(text));
  if (const std::optional<std::int32_t> bos = folder().bos_id()) tokens.insert(tokens.begin(), *bos);
  NATSCOPE_CHECK(check_fits(std::ssize(tokens), config()));
  return tokens;
}

Expected<std::vector<std::int32_t>> Engine::tokenize_follow_up(std::string_view text,
                                                               std::optional<std::int32_t> first) const {
  NATSCOPE_CHECK(check_prompt(text, tokenizer(), config()));
  const std::span<const TokenFrame> before = record().frames();
  if (before.empty()) return fail(ErrorCode::bad_position, "there is no text to go on from", "give a prompt first");
  NATSCOPE_TRY(std::vector<std::int32_t> tokens,
               follow_up_tokens(tokenizer(), first.value_or(before.back().token), text));
  if (first) tokens.insert(tokens.begin(), *first);
  const std::int64_t room = config().context - std::ssize(before);
  if (std::ssize(tokens) > room) {
    return fail(ErrorCode::prompt_too_long,
                grouped_digits(std::ssize(tokens)) + " tokens follow " + grouped_digits(std::ssize(before)) +
                    ", but the model's context holds " + grouped_digits(config().context),
                context_hint(config(), "shorten the prompt"));
  }
  return tokens;
}

Expected<void> Engine::check_openable(const EngineOptions& options) {
  return guarded([&]() -> Expected<void> {
    NATSCOPE_CHECK(check_options(options));
    NATSCOPE_CHECK(ModelFolder::open(options.model, options.adapter, options.context));
    NATSCOPE_CHECK(open_device(options));
    return {};
  });
}

Expected<void> Engine::start(RolePlan plan, std::int64_t prompt_tokens) {
  return guarded([&] { return state_->start(std::move(plan), prompt_tokens); });
}

std::span<const float> Engine::logits() const {
  return state_->has_logits ? std::span<const float>(state_->logits) : std::span<const float>();
}
const SequenceRecord& Engine::record() const { return state_->record; }

CacheCounts Engine::counts() const {
  if (state_->record.size() == 0) return {};
  CacheCounts counts = state_->record.frames().back().counts;
  counts.allocated_bytes = state_->allocated_bytes();
  return counts;
}

std::optional<std::int64_t> Engine::window() const { return state_->decider->window(); }
double Engine::prefill_s() const { return state_->prefill_s; }

}  // namespace natscope
