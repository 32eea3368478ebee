// SPDX-License-Identifier: GPL-3.0-or-later
/// How well a model answers questions under a cache plan: the numbers of `answer`.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/role_plan.h"
#include "core/engine/engine.h"

namespace natscope {

struct AnswerOptions {
  RolePlan plan{};
  std::int64_t chunk = 512;  ///< tokens a pass of what is read
  std::int64_t max_new_tokens = 64;
  std::vector<std::string> stop_strings{};
};

/// What was written, greedily, after one text with its question.
struct WrittenAnswer {
  std::string text;
  std::int64_t read = 0;  ///< tokens, the question's among them
  std::int64_t generated = 0;
  double kv_fraction = 0;                          ///< after the last token that was read
  double paper_kv_fraction = 0;                    ///< the paper's, there
  StopReason reason = StopReason::max_new_tokens;  ///< why it ended
  double prefill_s = 0;
  double decode_s = 0;
};

/// A text with a question at its end, as the model reads it.
struct AskedText {
  std::vector<std::int32_t> tokens;
  /// So many of them, the first, are the prompt that policies drop behind: all, or all before the question.
  std::int64_t prompt_tokens = 0;
};

/// Reads a text with a fresh cache and goes on greedily. Errors: as Engine::start, Engine::prefill and
/// Engine::generate; interrupted.
[[nodiscard]] Expected<WrittenAnswer> written_answer(Engine& engine, const AskedText& asked,
                                                     const AnswerOptions& options, std::stop_token stop);

}  // namespace natscope
