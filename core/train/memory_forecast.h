// SPDX-License-Identifier: GPL-3.0-or-later
/// How much memory a fine-tuning run will hold at its peak, part by part, before it starts.
///
/// Counted: what distillation_model.h says is kept, for the longest document that the options allow; the weights that
/// are read (mapped pages count as resident while they are). A forecast, not a bound.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/expected.h"
#include "core/model/config.h"
#include "core/train/finetune_options.h"

namespace natscope::train {

struct MemoryForecast {
  std::int64_t tokens = 0;                                  ///< of the longest document
  std::vector<std::pair<std::string, std::int64_t>> parts;  ///< bytes by what they are for

  [[nodiscard]] std::int64_t total_bytes() const;
  /// A line a part and the sum, in MiB, for people.
  [[nodiscard]] std::string text() const;
};

/// Opens the base model's folder for its shape. Errors: those of ModelFolder::open.
[[nodiscard]] Expected<MemoryForecast> forecast_memory(const FinetuneOptions& options);

/// The same for a shape. `stored_bytes`: of the base's weights; `is_f32`: whether they are stored as f32.
[[nodiscard]] MemoryForecast forecast_memory(const ModelConfig& base, const FinetuneOptions& options,
                                             std::int64_t stored_bytes, bool is_f32);

}  // namespace natscope::train
