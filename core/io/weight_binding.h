// SPDX-License-Identifier: GPL-3.0-or-later
/// From stored tensors to views of weights: presence, shape, dtype and alignment, checked once. Private to core/io.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/base/expected.h"
#include "core/io/adapter.h"
#include "core/io/weight_files.h"
#include "core/model/config.h"
#include "core/model/weights.h"

namespace natscope {

struct BoundWeights {
  ModelWeights weights;
  std::vector<std::unique_ptr<std::byte[]>> copies;  ///< of tensors whose stored data is not aligned
};

/// Removes config.nats when neither base nor adapter has score layers, and takes the adapter's block when it has them.
/// Errors: bad_config for score layers without nats.window.
[[nodiscard]] Expected<void> settle_score_layers(ModelConfig& config, const WeightFiles& base, const Adapter* adapter);

/// Errors: missing_tensor, bad_tensor_shape, bad_tensor_dtype, unexpected_tensor.
[[nodiscard]] Expected<BoundWeights> bind_weights(const ModelConfig& config, const WeightFiles& base,
                                                  const Adapter* adapter);

}  // namespace natscope
