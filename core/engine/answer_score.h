// SPDX-License-Identifier: GPL-3.0-or-later
/// How well a model answers questions under a cache plan: the numbers of `answer`.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/role_plan.h"
#include "core/engine/engine.h"

namespace natscope {

struct AnswerOptions {
  RolePlan plan{};
  std::int64_t chunk = 512;  ///< tokens a pass of the prompt
  std::int64_t max_new_tokens = 64;
  std::vector<std::string> stop_strings{};
};

/// What was written, greedily, after one prompt.
struct WrittenAnswer {
  std::string text;
  std::int64_t prompt_tokens = 0;
  std::int64_t generated = 0;
  double kv_fraction = 0;                          ///< after the prompt's last token
  double paper_kv_fraction = 0;                    ///< the paper's, there
  StopReason reason = StopReason::max_new_tokens;  ///< why it ended
  double prefill_s = 0;
  double decode_s = 0;
};

/// Reads a prompt with a fresh cache and goes on greedily. Errors: as Engine::start, Engine::prefill and
/// Engine::generate; interrupted.
[[nodiscard]] Expected<WrittenAnswer> written_answer(Engine& engine, std::span<const std::int32_t> prompt,
                                                     const AnswerOptions& options, std::stop_token stop);

}  // namespace natscope
