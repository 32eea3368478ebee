// SPDX-License-Identifier: GPL-3.0-or-later
/// The parts of reading config.json that decide what is refused; private to core/model.
#pragma once

#include "core/model/config.h"
#include "core/model/config_reader.h"

namespace natscope {

/// Refuses settings that change the arithmetic and are not implemented, in this family. Errors: unsupported_model,
/// bad_config.
[[nodiscard]] Expected<void> refuse_other_arithmetic(const ConfigReader& read, ModelFamily family);

/// Reads rope_theta with rope_scaling, or rope_parameters; of `config` family, head_dim and context, which still is
/// max_position_embeddings, have been read. Errors: unsupported_model, bad_config.
[[nodiscard]] Expected<RopeConfig> read_rope(const ConfigReader& read, const ModelConfig& config);

/// The part of each head that is turned: partial_rotary_factor, beside the rope settings (`block`) or among them, where
/// it wins. Errors: unsupported_model (other than 1 in a family that does not have it), bad_config.
[[nodiscard]] Expected<double> read_rotated_part(const ConfigReader& top, const ConfigReader& block,
                                                 const ModelConfig& config);

/// LongRoPE's settings, of Phi-3 alone. Errors: bad_config.
[[nodiscard]] Expected<void> read_longrope(const ConfigReader& top, const ConfigReader& block,
                                           const ModelConfig& config, RopeConfig& rope);

/// SmolLM3's layers that turn queries and keys, of no_rope_layers or no_rope_layer_interval. Errors: bad_config.
[[nodiscard]] Expected<std::vector<bool>> read_rotated_layers(const ConfigReader& read, const ModelConfig& config);

/// Granite's multipliers. Errors: bad_config.
[[nodiscard]] Expected<void> read_multipliers(const ConfigReader& read, ModelConfig& config);

/// The context in which a model's own sliding window (Mistral, Phi-3, Qwen) hides nothing: full attention is exact up
/// to that length, so longer texts are not taken. A window so short that little would be left is refused. Errors:
/// unsupported_model, bad_config.
[[nodiscard]] Expected<int> context_within_sliding_window(const ConfigReader& read, const ModelConfig& config);

}  // namespace natscope
