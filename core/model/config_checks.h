// SPDX-License-Identifier: GPL-3.0-or-later
/// The parts of reading config.json that decide what is refused; private to core/model.
#pragma once

#include "core/model/config.h"
#include "core/model/config_reader.h"

namespace natscope {

/// Refuses settings that change the arithmetic and are not implemented. Errors: unsupported_model, bad_config.
[[nodiscard]] Expected<void> refuse_other_arithmetic(const ConfigReader& read);

/// Reads rope_theta with rope_scaling, or rope_parameters. `context` is max_position_embeddings.
/// Errors: unsupported_model, bad_config.
[[nodiscard]] Expected<RopeConfig> read_rope(const ConfigReader& read, int context);

/// The context in which a model's own sliding window (Mistral, Phi-3, Qwen) hides nothing: full attention is exact up
/// to that length, so longer texts are not taken. A window so short that little would be left is refused. Errors:
/// unsupported_model, bad_config.
[[nodiscard]] Expected<int> context_within_sliding_window(const ConfigReader& read, const ModelConfig& config);

}  // namespace natscope
