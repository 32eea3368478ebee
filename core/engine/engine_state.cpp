// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/engine_state.h"

#include <cmath>
#include <string>
#include <utility>

#include "core/base/grouped_digits.h"
#include "core/base/log.h"
#include "core/cache/forced_pattern.h"
#include "core/cache/plan_check.h"
#include "core/model/context_hint.h"
#include "core/sampling/sampler.h"

namespace natscope {
namespace {

Expected<void> check_roles_for(const RolePlan& plan, std::int64_t tokens) {
  if (!plan.roles || plan.roles->length >= tokens) return {};
  return fail(ErrorCode::bad_roles,
              "roles for " + std::to_string(plan.roles->length) + " tokens, but the text has at least " +
                  std::to_string(tokens),
              "give roles for prompt and generation together");
}

}  // namespace

Engine::State::State(ModelFolder opened, PreparedWeights prepared, CacheGeometry cache_geometry, int thread_count,
                     std::int64_t trace_store_bytes, std::optional<LayerId> stored_layer)
    : folder(std::move(opened)),
      weights(std::move(prepared)),
      geometry(cache_geometry),
      threads(thread_count),
      has_scores(folder.has_score_layers()),
      store(cache_geometry, folder.config().heads, trace_store_bytes, folder.config().context, stored_layer),
      row_pass(folder.config(), weights, cache_geometry.dtype),
      chunk_pass(folder.config(), weights, cache_geometry.dtype),
      logits(static_cast<std::size_t>(folder.config().vocab)) {}

Expected<void> Engine::State::start(RolePlan plan, std::int64_t prompt_tokens) {
  NATSCOPE_CHECK(check_roles_for(plan, prompt_tokens));
  const ModelConfig& config = folder.config();
  std::optional<std::int64_t> model_window;
  if (config.nats) model_window = config.nats->window;
  const float bias = config.nats ? static_cast<float>(config.nats->global_bias) : 0.0F;
  NATSCOPE_TRY(RoleDecider created,
               RoleDecider::create(std::move(plan), config.layers, config.kv_heads, model_window, bias, has_scores));

  if (created.plan().forced.size() > most_forced_roles)
    return fail(ErrorCode::usage, "more than " + std::to_string(most_forced_roles) + " roles are set one by one",
                "give them as a file of roles");
  const std::optional<kernels::ScoreRule> rule = score_rule(created.plan().policy);
  // Heads that add their scores up hold the same positions, and neighbours' scores are those of all positions.
  if (rule && rule->scores != kernels::EntryScores::of_all_queries) NATSCOPE_CHECK(check_set_by_hand(created.plan()));
  if (device && device->is_dense() && created.window())
    return fail(ErrorCode::usage, "flash attention knows no roles but Global", "use the policy full");
  if (device && rule && !device->attends_to_cache())
    return fail(ErrorCode::usage,
                method_name(to_string(created.plan().policy)) +
                    " weighs what the cache holds, to which this attention does not look",
                "use the policy full");
  if (device) {
    cache_is_stale = true;  // until the end, should it fail
    NATSCOPE_CHECK(device->reset_cache(created.window().value_or(0), rule));
  }

  const std::unique_lock lock(record_mutex);  // other threads may be drawing from what ends here
  recorder.reset();
  decider.emplace(std::move(created));
  cache->reset(decider->window().value_or(0), rule.has_value());
  cache_is_stale = false;
  store.clear();
  recorder.emplace(geometry, has_scores, *decider, store, folder.tokenizer());
  record = SequenceRecord(geometry, has_scores, decider->window());
  weighed = {};
  prompt_is_read = false;
  ++sequence;
  history.clear();
  has_logits = false;
  prefill_s = 0;
  return {};
}

Expected<void> Engine::State::check_tokens(std::span<const std::int32_t> tokens) const {
  const ModelConfig& config = folder.config();
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= config.vocab) {
      return fail(ErrorCode::bad_token_id, "token " + std::to_string(token) + ": the vocabulary has ids 0 to " +
                                               std::to_string(config.vocab - 1));
    }
  }
  const std::int64_t total = record.size() + static_cast<std::int64_t>(tokens.size());
  if (total > config.context) {
    return fail(ErrorCode::prompt_too_long,
                grouped_digits(total) + " tokens, but the model's context holds " + grouped_digits(config.context),
                context_hint(config, "shorten the prompt"));
  }
  return check_roles_for(decider->plan(), total);
}

void Engine::State::set_prompt(std::optional<std::int64_t> tokens) {
  if (prompt_is_read) return;
  WeighedTokens now;
  if (tokens) now = weighed_tokens(score_rule(decider->plan().policy), record.size() + *tokens);
  if (now == weighed) return;
  // A prefill that was stopped has read some of these tokens without weighing them, or weighed some that are none.
  for (const WeighedTokens& range : {now, weighed})
    cache_is_stale = cache_is_stale || (!range.are_none() && range.first < record.size());
  const std::unique_lock lock(record_mutex);
  weighed = now;
  recorder->set_weighed(weighed);
}

Expected<void> Engine::State::restore(std::stop_token stop) {
  if (!cache_is_stale) return {};
  const RecordedSequence recorded = RecordedSequence::copy(record, geometry.layers, decider->plan().policy, weighed);
  ReplayObserver observer(recorded);
  const ChunkExtent extent{geometry.layers, ChunkExtent::Hidden::none};
  NATSCOPE_CHECK(device ? replay(recorded, *device, device->most_tokens(), observer, extent, stop)
                        : replay(recorded, chunk_pass, *cache, observer, extent, stop));
  cache_is_stale = false;
  return {};
}

void Engine::State::give_up_pass(bool cache_changed) {
  cache_is_stale = cache_is_stale || cache_changed;
  store.truncate(record.size());
}

Expected<void> Engine::State::run_row(std::int32_t token, TokenPos position, std::stop_token stop) {
  if (!device) return row_pass.run(token, position, *cache, *recorder, stop);
  return device->run({&token, 1}, position, *recorder, {geometry.layers, ChunkExtent::Hidden::last}, stop);
}

Expected<void> Engine::State::row_logits(std::span<float> out) {
  return device ? device->logits(0, 1, out) : row_pass.logits(out);
}

Expected<void> Engine::State::run_chunk(std::span<const std::int32_t> tokens, TokenPos first, ChunkExtent extent,
                                        std::stop_token stop) {
  return device ? device->run(tokens, first, *recorder, extent, stop)
                : chunk_pass.run(tokens, first, *cache, *recorder, extent, stop);
}

Expected<void> Engine::State::chunk_logits(std::int64_t index, std::int64_t n, std::span<float> out,
                                           std::stop_token stop) {
  return device ? device->logits(index, n, out) : chunk_pass.logits(index, n, out, stop);
}

std::int64_t Engine::State::most_chunk_tokens() const {
  return device ? device->most_tokens() : chunk_pass.most_tokens();
}

std::int64_t Engine::State::held_entries() const { return device ? device->counts().entries : cache->total_entries(); }

std::int64_t Engine::State::allocated_bytes() const {
  return device ? device->counts().allocated_bytes : cache->allocated_bytes();
}

Expected<void> Engine::State::append(std::vector<TokenFrame> frames) {
  if (recorder->entries() != held_entries()) {
    log(LogLevel::error, "the cache holds " + std::to_string(held_entries()) + " entries where the roles say " +
                             std::to_string(recorder->entries()) + "; the figures shown are those of the roles");
  }
  const std::unique_lock lock(record_mutex);
  for (const TokenFrame& frame : frames) history.push_back(frame.token);
  return record.append(frames);
}

float Engine::State::probability_of(std::int32_t token) const {
  if (!has_logits) return 0;
  return as_probability(std::exp(static_cast<double>(logits[static_cast<std::size_t>(token)]) - log_sum));
}

void Engine::State::set_logits_ready(double log_sum_exp) {
  has_logits = true;
  log_sum = log_sum_exp;
}

}  // namespace natscope
