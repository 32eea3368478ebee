// SPDX-License-Identifier: GPL-3.0-or-later
/// How much memory a fine-tuning run will hold at its peak, part by part, before it starts.
///
/// Counted: what distillation_model.h says is kept, for the longest document that the options allow; the weights that
/// are read (mapped pages count as resident while they are). A forecast, not a bound. On a GPU it is what LibTorch asks
/// for there: the same tensors, without CUDA's own context; on the CPU the whole program. The CPU's is fitted to runs,
/// the GPU's could not be held to any yet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/expected.h"
#include "core/model/config.h"
#include "core/train/options/finetune_options.h"

namespace natscope::train {

struct MemoryForecast {
  bool on_gpu = false;
  std::int64_t tokens = 0;                                  ///< of the longest document
  std::vector<std::pair<std::string, std::int64_t>> parts;  ///< bytes by what they are for

  [[nodiscard]] std::int64_t total_bytes() const;
  /// A line a part and the sum, in MiB, for people.
  [[nodiscard]] std::string text() const;
};

/// Opens the base model's folder for its shape; on the device that the options name. Errors: those of
/// ModelFolder::open.
[[nodiscard]] Expected<MemoryForecast> forecast_memory(const FinetuneOptions& options);

/// The same for a shape, on a device: `any` is taken for the CPU. `stored_bytes`, `stored_as`: the base's weights, as
/// ModelFolder says them.
[[nodiscard]] MemoryForecast forecast_memory(const ModelConfig& base, const FinetuneOptions& options,
                                             TrainDevice device, std::int64_t stored_bytes, std::string_view stored_as);

}  // namespace natscope::train
