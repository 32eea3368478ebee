// SPDX-License-Identifier: GPL-3.0-or-later
/// Reports of a run as lines of progress.jsonl, and for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/train/reports.h"

namespace natscope::train {

/// {global, local, sliding, kv_fraction}
[[nodiscard]] nlohmann::json roles_json(const HeadRoles& roles);

/// {step, loss, learning_rate, gradient_norm, tokens_per_s, eta_s, sampled, argmax}; the last two null without roles.
[[nodiscard]] nlohmann::json progress_json(const StepReport& report);

/// {step, evaluation: {tokens, nll, perplexity, bits_per_byte, distance, full_nll, roles, heads: [layers][kv_heads]}};
/// distance and full_nll null but for fine-tuning, roles and heads null without roles.
[[nodiscard]] nlohmann::json progress_json(const Evaluation& evaluation, int kv_heads);

/// One line: "step 120/2000  loss 4.1234  9.5k tok/s  …  ETA 12:34".
[[nodiscard]] std::string progress_text(const StepReport& report);
[[nodiscard]] std::string evaluation_text(const Evaluation& evaluation);

}  // namespace natscope::train
