// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/answer_score.h"

#include <span>
#include <utility>

namespace natscope {

Expected<WrittenAnswer> written_answer(Engine& engine, const AskedText& asked, const AnswerOptions& options,
                                       std::stop_token stop) {
  WrittenAnswer answer;
  answer.read = std::ssize(asked.tokens);
  NATSCOPE_CHECK(engine.start(options.plan, answer.read));
  PrefillOptions prefill;
  prefill.chunk = options.chunk;
  const std::span<const std::int32_t> tokens(asked.tokens);
  NATSCOPE_CHECK(engine.prefill(tokens.first(static_cast<std::size_t>(asked.prompt_tokens)), prefill, stop));
  if (asked.prompt_tokens < answer.read)
    NATSCOPE_CHECK(engine.prefill(tokens.subspan(static_cast<std::size_t>(asked.prompt_tokens)), prefill, stop));
  const CacheCounts counts = engine.counts();
  answer.kv_fraction = counts.fraction;
  answer.paper_kv_fraction = counts.paper_fraction;
  answer.prefill_s = engine.prefill_s();

  GenerateOptions generate;
  generate.max_new_tokens = options.max_new_tokens;
  generate.sampling.greedy = true;
  generate.stop_strings = options.stop_strings;
  generate.candidates = 0;
  NATSCOPE_TRY(GenerateResult result, engine.generate(generate, stop));
  if (result.reason == StopReason::interrupted) return fail(ErrorCode::interrupted, "an answer was interrupted");
  answer.generated = static_cast<std::int64_t>(result.tokens.size());
  answer.reason = result.reason;
  answer.text = std::move(result.text);
  answer.decode_s = result.decode_s;
  return answer;
}

}  // namespace natscope
