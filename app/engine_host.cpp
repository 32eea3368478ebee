// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine_host.h"

#include <omp.h>

#include <algorithm>

#include "core/base/cancel.h"
#include "core/base/grouped_digits.h"
#include "core/cache/plan_check.h"
#include "core/cache/policy.h"
#include "core/chat/chat_form.h"
#include "core/chat/chat_template.h"
#include "core/device/torch_version.h"
#include "core/engine/training_policy.h"
#include "core/io/model_folder.h"
#include "core/model/context_hint.h"
#include "core/tokenizer/text_that_fits.h"

namespace natscope {
namespace {

ModelDescription described(const Engine& engine, const OpenMessage& request) {
  const ModelFolder& folder = engine.folder();
  const ModelConfig& config = engine.config();
  const GenerationDefaults& defaults = folder.generation_defaults();
  ModelDescription model;
  model.path = request.model;
  model.adapter = request.adapter.value_or("");
  model.architecture = config.architecture;
  model.layers = config.layers;
  model.heads = config.heads;
  model.kv_heads = config.kv_heads;
  model.head_dim = config.head_dim;
  model.hidden = config.hidden;
  model.vocab = config.vocab;
  model.context = config.context;
  if (request.context > 0) model.asked_context = request.context;
  model.nats = config.nats.has_value();
  if (config.nats) {
    model.window = config.nats->window;
    model.global_bias = config.nats->global_bias;
    if (config.nats->sparse_regularized_value != 0) model.lambda = config.nats->sparse_regularized_value;
  }
  model.training_policy = training_policy(folder).value_or(std::string());
  model.parameters = folder.weights().parameter_count();
  model.weight_bytes = static_cast<std::int64_t>(folder.weight_bytes());
  model.dtype = engine.dtype();
  model.kv_bytes_per_token = engine.geometry().entry_bytes() * config.layers * config.kv_heads;
  model.tokenizer = engine.tokenizer().model_type();
  model.chats = has_chat_template(folder.path());
  model.device = engine.device() == Device::cuda ? "cuda" : "cpu";
  model.threads = request.threads > 0 ? request.threads : static_cast<std::int32_t>(omp_get_num_procs());
  model.sampling.greedy = !defaults.do_sample.value_or(true);
  model.sampling.temperature = defaults.temperature.value_or(model.sampling.temperature);
  model.sampling.top_k = defaults.top_k.value_or(model.sampling.top_k);
  model.sampling.top_p = defaults.top_p.value_or(model.sampling.top_p);
  model.sampling.min_p = defaults.min_p.value_or(model.sampling.min_p);
  model.sampling.repetition_penalty = defaults.repetition_penalty.value_or(model.sampling.repetition_penalty);
  return model;
}

}  // namespace

std::string TorchEngineHost::program() const {
  return std::string("natscope-engine " NATSCOPE_VERSION ", LibTorch ") + torch_version();
}

Expected<void> TorchEngineHost::check_open() const {
  if (engine_) return {};
  return fail(ErrorCode::usage, "no model is open", "open a model first");
}

Expected<ModelDescription> TorchEngineHost::open(const OpenMessage& request, std::stop_token stop) {
  EngineOptions options;
  options.model = request.model;
  if (request.adapter) options.adapter = *request.adapter;
  options.context = request.context;
  options.device = request.device;
  options.dtype = request.dtype;
  options.threads = request.threads;
  options.trace_store_bytes = request.trace_store_bytes;
  if (engine_) NATSCOPE_CHECK(Engine::check_openable(options));
  NATSCOPE_CHECK(check(stop));
  engine_.reset();
  given_.clear();
  NATSCOPE_TRY(engine_, Engine::open(options, stop));
  return described(*engine_, request);
}

std::function<std::string()> TorchEngineHost::identity() const {
  // A copy of the folder shares the mapped files and outlives the engine.
  return [folder = engine_->folder()] { return folder.sha256(); };
}

Expected<std::vector<std::int32_t>> TorchEngineHost::prompt_tokens(const AnalyseMessage& request,
                                                                   std::optional<std::int64_t>& bytes) const {
  if (const auto* text = std::get_if<std::string>(&request.prompt)) {
    if (!request.fit) return engine_->tokenize(*text);
    const std::int64_t room = engine_->config().context - (engine_->folder().bos_id() ? 1 : 0);
    NATSCOPE_TRY(const std::size_t taken, bytes_that_fit(engine_->tokenizer(), *text, room));
    bytes = static_cast<std::int64_t>(taken);
    return engine_->tokenize(std::string_view(*text).substr(0, taken));
  }
  auto tokens = std::get<std::vector<std::int32_t>>(request.prompt);
  if (tokens.empty()) return fail(ErrorCode::bad_text, "the prompt has no tokens");
  if (request.fit) tokens.resize(std::min(tokens.size(), static_cast<std::size_t>(engine_->config().context)));
  if (static_cast<std::int64_t>(tokens.size()) > engine_->config().context) {
    return fail(ErrorCode::prompt_too_long,
                "the prompt has " + grouped_digits(static_cast<std::int64_t>(tokens.size())) +
                    " tokens, the context holds " + grouped_digits(engine_->config().context),
                context_hint(engine_->config(), "shorten the prompt"));
  }
  for (const std::int32_t token : tokens) {
    if (token >= 0 && token < engine_->config().vocab) continue;
    return fail(ErrorCode::bad_token_id, "the vocabulary has no token " + std::to_string(token));
  }
  return tokens;
}

Expected<StartedMessage> TorchEngineHost::start(const AnalyseMessage& request) {
  NATSCOPE_CHECK(check_open());
  NATSCOPE_CHECK(check_set_by_hand(request.plan));
  std::optional<std::int64_t> bytes;
  NATSCOPE_TRY(auto tokens, prompt_tokens(request, bytes));
  NATSCOPE_CHECK(engine_->start(request.plan, static_cast<std::int64_t>(tokens.size())));
  given_ = std::move(tokens);
  note_.clear();
  chunk_ = request.chunk;
  candidates_ = request.candidates;
  return StartedMessage{engine_->geometry(),
                        engine_->record().has_scores(),
                        engine_->window(),
                        to_string(request.plan.policy),
                        static_cast<std::int64_t>(given_.size()),
                        bytes};
}

Expected<void> TorchEngineHost::follow_up(const FollowUpMessage& request) {
  NATSCOPE_CHECK(check_open());
  ChatFollowUp next{{}, request.text, {}};
  const auto frames = engine_->record().frames();
  if (request.chat && !frames.empty()) {
    NATSCOPE_TRY(const ChatForm form, ChatForm::of(engine_->folder()));
    NATSCOPE_TRY(next, form.follow_up({request.text, {}}, frames.back().token, chat_time()));
  }
  NATSCOPE_TRY(given_, engine_->tokenize_follow_up(next.text, next.end));
  note_ = std::move(next.note);
  chunk_ = request.chunk;
  candidates_ = request.candidates;
  return {};
}

Expected<ReadyMessage> TorchEngineHost::prefill(std::function<void(std::int64_t, std::int64_t)> on_progress,
                                                std::stop_token stop) {
  NATSCOPE_CHECK(check_open());
  PrefillOptions options;
  options.chunk = chunk_;
  options.candidates = candidates_;
  options.on_progress = std::move(on_progress);
  const double before_s = engine_->prefill_s();
  NATSCOPE_CHECK(engine_->prefill(given_, options, stop));
  return ReadyMessage{std::ssize(given_), engine_->prefill_s() - before_s, note_};
}

Expected<FinishedMessage> TorchEngineHost::generate(const GenerateMessage& request, std::function<void()> on_token,
                                                    std::stop_token stop) {
  NATSCOPE_CHECK(check_open());
  GenerateOptions options;
  options.max_new_tokens = request.max_new_tokens;
  options.sampling = request.sampling;
  options.stop_strings = request.stop_strings;
  options.candidates = request.candidates;
  options.on_token = [&on_token](const TokenFrame&, std::string_view) { on_token(); };
  NATSCOPE_TRY(GenerateResult result, engine_->generate(options, stop));
  return FinishedMessage{result.reason, static_cast<std::int64_t>(result.tokens.size()), std::move(result.text),
                         result.decode_s};
}

Expected<FinishedMessage> TorchEngineHost::step(const StepMessage& request, std::stop_token stop) {
  if (!request.token) {
    return generate(
        {.max_new_tokens = 1, .sampling = request.sampling, .stop_strings = {}, .candidates = request.candidates},
        [] {}, stop);
  }
  NATSCOPE_CHECK(check_open());
  NATSCOPE_CHECK(engine_->step(*request.token, true, request.candidates, stop));
  const TokenFrame& frame = engine_->record().frames().back();
  return FinishedMessage{StopReason::max_new_tokens, 1, frame.text, frame.step_ms / 1e3};
}

const SequenceRecord& TorchEngineHost::record() const { return engine_ ? engine_->record() : nothing_; }
std::string TorchEngineHost::token_text(std::int32_t token) const { return engine_->tokenizer().display(token); }

Expected<AttentionTile> TorchEngineHost::tile(const TileRequestMessage& request, const OnReplay& on_replay,
                                              std::stop_token stop) {
  NATSCOPE_CHECK(check_open());
  return engine_->tile(request.tile, stop, on_replay, request.other_last_query);
}

Expected<ChatPromptMessage> TorchEngineHost::chat_prompt(const ChatTurnMessage& turn) {
  NATSCOPE_CHECK(check_open());
  NATSCOPE_TRY(const ChatForm form, ChatForm::of(engine_->folder()));
  NATSCOPE_TRY(ChatText text, form.prompt({turn.user, {}}, chat_time()));
  return ChatPromptMessage{std::move(text.prompt), std::move(text.note)};
}

Expected<WeightsMessage> TorchEngineHost::weights(const WeightsRequestMessage& request, const OnReplay& on_replay,
                                                  std::stop_token stop) {
  NATSCOPE_CHECK(check_open());
  const auto cells = static_cast<std::size_t>(request.queries) * static_cast<std::size_t>(request.keys);
  WeightsMessage answer{request, std::vector<float>(cells), std::vector<std::uint8_t>(cells)};
  const std::array<std::int64_t, 2> shape{request.queries, request.keys};
  NATSCOPE_CHECK(engine_->weights(request.layer, request.head, request.first_query, request.first_key,
                                  kernels::View<float, 2>::packed(answer.weights.data(), shape),
                                  kernels::View<std::uint8_t, 2>::packed(answer.visible.data(), shape), stop,
                                  on_replay));
  return answer;
}

}  // namespace natscope
