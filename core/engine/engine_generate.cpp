// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <chrono>
#include <string>

#include "core/engine/engine_state.h"
#include "core/sampling/stop_filter.h"
#include "core/sampling/stop_reason.h"

namespace natscope {
namespace {

Expected<void> check_start(const GenerateOptions& options, bool has_logits) {
  NATSCOPE_CHECK(check(options.sampling));
  if (options.max_new_tokens < 0)
    return fail(ErrorCode::usage, std::to_string(options.max_new_tokens) + " new tokens", "give 0 or more");
  if (!has_logits) return fail(ErrorCode::bad_position, "there is no text to go on from", "give a prompt first");
  return {};
}

}  // namespace

Expected<GenerateResult> Engine::generate(const GenerateOptions& options, std::stop_token stop) {
  return guarded([&]() -> Expected<GenerateResult> {
    State& state = *state_;
    use_threads(state.threads);
    NATSCOPE_CHECK(check_start(options, state.has_logits));
    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::int32_t>& ends = state.folder.eos_ids();
    const auto is_end = [&](std::int32_t token) { return std::ranges::find(ends, token) != ends.end(); };

    Sampler sampler(options.sampling, state.history.size());
    StreamingDecoder decoder(tokenizer(), true);
    StopFilter filter(options.stop_strings);
    GenerateResult result;
    // What ends the text if nothing comes before it; set as soon as it is known, so that the last call shows all that
    // is left.
    std::optional<StopReason> reason;
    const auto at_limit = [&]() -> std::optional<StopReason> {
      if (static_cast<std::int64_t>(result.tokens.size()) >= options.max_new_tokens) return StopReason::max_new_tokens;
      if (state.record.size() >= config().context) return StopReason::context_full;
      return {};
    };
    const auto rest = [&] {
      std::string text = filter.push(decoder.finish());
      return text + filter.finish();
    };

    reason = at_limit();
    while (!reason) {
      if (stop.stop_requested()) {
        reason = StopReason::interrupted;
        result.text += rest();
        break;
      }
      NATSCOPE_TRY(const TokenCandidate next, sampler.sample(state.logits, state.history));
      if (Expected<void> done = state.step(next.token, true, options.candidates, stop); !done) {
        if (done.error().code != ErrorCode::interrupted) return Unexpected(std::move(done).error());
        continue;  // the token was not processed and is not part of the text
      }
      result.tokens.push_back(next.token);
      std::string text;
      if (is_end(next.token)) {
        reason = StopReason::end_of_text;
      } else {
        text = filter.push(decoder.push(next.token));
        reason = filter.found() ? StopReason::stop_string : at_limit();
      }
      if (reason) text += rest();
      result.text += text;
      if (options.on_token) options.on_token(state.record.frames().back(), text);
    }
    result.reason = *reason;
    result.decode_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  });
}

}  // namespace natscope
