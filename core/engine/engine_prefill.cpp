// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "core/engine/engine_state.h"
#include "core/sampling/sampler.h"

namespace natscope {

namespace {

constexpr std::int64_t logits_at_once = 4LL << 20U;  // numbers of a block of logits: 16 MB

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

/// Logits of every token of the chunk that run_chunk has just run, a block of rows at a time.
Expected<void> Engine::State::read_prompt(std::span<const std::int32_t> tokens, const PrefillOptions& options,
                                          PromptReading& reading, std::stop_token stop) {
  const std::size_t vocab = logits.size();
  const auto n = static_cast<std::int64_t>(tokens.size());
  const std::int64_t block = std::clamp<std::int64_t>(logits_at_once / static_cast<std::int64_t>(vocab), 1, n);
  std::vector<float> rows(static_cast<std::size_t>(block) * vocab);
  for (std::int64_t first = 0; first < n; first += block) {
    const std::int64_t count = std::min(block, n - first);
    const std::span<float> part = std::span(rows).first(static_cast<std::size_t>(count) * vocab);
    NATSCOPE_CHECK(chunk_logits(first, count, part, stop));
    for (std::int64_t row = 0; row < count; ++row) {
      const auto index = static_cast<std::size_t>(first + row);
      const std::span<const float> of_token = part.subspan(static_cast<std::size_t>(row) * vocab, vocab);
      if (options.candidates == 0 && index + 1 == tokens.size()) continue;
      const LogitReading read(of_token);
      NATSCOPE_CHECK(read.check());
      if (options.candidates > 0) reading.candidates[index] = read.likeliest(options.candidates);
      if (index + 1 == tokens.size()) continue;
      const double logit = of_token[static_cast<std::size_t>(tokens[index + 1])];
      reading.probability[index + 1] = as_probability(std::exp(logit - read.log_sum_exp()));
    }
    const TokenPos position(static_cast<std::int32_t>(record.size() + first));
    if (options.on_logits) NATSCOPE_CHECK(options.on_logits(position, count, part));
    if (const auto last = part.last(vocab); first + count == n) reading.last.assign(last.begin(), last.end());
  }
  return {};
}

Expected<void> Engine::State::prefill_chunk(std::span<const std::int32_t> tokens, const PrefillOptions& options,
                                            std::function<void(LayerId)> on_layer, std::stop_token stop) {
  const TokenPos first(static_cast<std::int32_t>(record.size()));
  const bool all = options.on_logits != nullptr || options.candidates > 0 || options.probabilities;
  recorder->begin(first, static_cast<std::int64_t>(tokens.size()), std::move(on_layer));
  if (is_partial()) {
    NATSCOPE_CHECK(run_chunk(tokens, first, {geometry.layers, ChunkExtent::Hidden::none}, stop));
    return append(recorder->take(tokens));
  }
  NATSCOPE_CHECK(
      run_chunk(tokens, first, {geometry.layers, all ? ChunkExtent::Hidden::all : ChunkExtent::Hidden::last}, stop));

  PromptReading reading{std::vector<float>(tokens.size()), std::vector<std::vector<TokenCandidate>>(tokens.size()),
                        std::vector<float>(logits.size())};
  reading.probability.front() = probability_of(tokens.front());
  NATSCOPE_CHECK(all ? read_prompt(tokens, options, reading, stop) : chunk_logits(0, 1, reading.last, stop));

  // Only now is anything written down: a pass whose logits do not come has not come to its end either.
  const LogitReading last(reading.last);
  NATSCOPE_CHECK(last.check());
  const double log_sum_of_last = last.log_sum_exp();
  logits.swap(reading.last);
  set_logits_ready(log_sum_of_last);
  std::vector<TokenFrame> frames = recorder->take(tokens);
  for (std::size_t index = 0; index < frames.size(); ++index) {
    frames[index].probability = reading.probability[index];
    frames[index].candidates = std::move(reading.candidates[index]);
  }
  return append(std::move(frames));
}

Expected<void> Engine::prefill(std::span<const std::int32_t> tokens, const PrefillOptions& options,
                               std::stop_token stop) {
  return guarded([&]() -> Expected<void> {
    State& state = *state_;
    use_threads(state.threads);
    if (options.chunk < 1)
      return fail(ErrorCode::usage, "a chunk of " + std::to_string(options.chunk) + " tokens", "give 1 or more");
    NATSCOPE_CHECK(state.check_tokens(tokens));
    const auto start = std::chrono::steady_clock::now();
    state.set_prompt(static_cast<std::int64_t>(tokens.size()));
    NATSCOPE_CHECK(state.restore(stop));

    const TokenPos first(static_cast<std::int32_t>(state.record.size()));
    const auto chunk = static_cast<std::size_t>(std::min(options.chunk, state.most_chunk_tokens()));
    Expected<void> done;
    std::size_t taken = 0;
    const auto tell = [&](std::size_t count) {
      if (options.on_progress) {
        options.on_progress(static_cast<std::int64_t>(count), static_cast<std::int64_t>(tokens.size()));
      }
    };
    tell(0);
    while (done && taken < tokens.size()) {
      const auto n = static_cast<std::size_t>(pass_tokens(
          state.weighed, state.record.size(), static_cast<std::int64_t>(std::min(chunk, tokens.size() - taken))));
      const auto layers = static_cast<std::size_t>(state.geometry.layers);
      // A layer is begun here, so what is done of the chunk are those before it.
      const auto on_layer = [&](LayerId layer) { tell(taken + n * static_cast<std::size_t>(layer.value) / layers); };
      done = guarded([&] { return state.prefill_chunk(tokens.subspan(taken, n), options, on_layer, stop); });
      if (!done) {
        state.give_up_pass(true);
        break;
      }
      taken += n;
      tell(taken);
    }
    if (done && taken > 0) state.prompt_is_read = true;
    const double elapsed = seconds_since(start);
    state.prefill_s += elapsed;
    const std::unique_lock lock(state.record_mutex);
    state.record.finish_prompt(first, state.allocated_bytes(),
                               taken > 0 ? elapsed * 1e3 / static_cast<double>(taken) : 0);
    return done;
  });
}

Expected<void> Engine::State::step(std::int32_t token, bool generated, std::int32_t candidates, std::stop_token stop) {
  NATSCOPE_CHECK(check_tokens({&token, 1}));
  if (is_partial()) return fail(ErrorCode::usage, "the model was opened for its first layers only");
  const auto start = std::chrono::steady_clock::now();
  set_prompt({});
  NATSCOPE_CHECK(restore(stop));

  const TokenPos position(static_cast<std::int32_t>(record.size()));
  recorder->begin(position, 1);
  if (Expected<void> done = guarded([&] { return run_row(token, position, stop); }); !done) {
    // A stop leaves the cache as it was, but for one whose entries go by their scores, which changes layer by layer.
    give_up_pass(recorder->drops(position, 1) != PassDrops::none || done.error().code != ErrorCode::interrupted);
    return done;
  }
  const float probability = probability_of(token);
  if (Expected<void> done = row_logits(logits); !done) {
    has_logits = false;
    give_up_pass(true);
    return done;
  }
  const LogitReading read(logits);
  if (Expected<void> sound = read.check(); !sound) {
    has_logits = false;
    give_up_pass(true);
    return sound;
  }
  set_logits_ready(read.log_sum_exp());
  prompt_is_read = prompt_is_read || generated;  // what is read behind what was written is no prompt

  std::vector<TokenFrame> frames = recorder->take({&token, 1});
  TokenFrame& frame = frames.front();
  frame.generated = generated;
  frame.probability = probability;
  frame.candidates = read.likeliest(candidates);
  frame.counts.allocated_bytes = allocated_bytes();
  frame.step_ms = seconds_since(start) * 1e3;
  return append(std::move(frames));
}

Expected<void> Engine::step(std::int32_t token, bool generated, std::int32_t candidates, std::stop_token stop) {
  use_threads(state_->threads);
  return guarded([&] { return state_->step(token, generated, candidates, stop); });
}

}  // namespace natscope
