// SPDX-License-Identifier: GPL-3.0-or-later
/// A stored model as the first weights of a training run. Private to core/train.
#pragma once

#include <filesystem>
#include <span>

#include "core/base/expected.h"
#include "core/model/config.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

/// Puts the weights of the model in `folder` in the place of `weights` [layout.size], which a run would begin with
/// without it. Score layers that the model lacks stay as they are; those that the run lacks are left.
/// Errors: bad_config (another shape, rotation or vocabulary than `config`'s, naming it), those of opening the model.
[[nodiscard]] Expected<void> read_weights_of_model(const std::filesystem::path& folder, const ModelConfig& config,
                                                   const ParameterLayout& layout, std::span<float> weights);

}  // namespace natscope::train
