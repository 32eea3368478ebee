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
#include "core/tokenizer/tokenizer.h"
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

/// What else a forecast is made from.
struct ForecastInputs {
  std::int64_t stored_bytes = 0;  ///< the base's weights, as ModelFolder says them
  std::string stored_as;
  std::int64_t text_bytes = 0;   ///< of the files that are read
  std::int64_t text_tokens = 0;  ///< that they become
};

/// The same for a shape, on a device: `automatic` is taken for the CPU.
[[nodiscard]] MemoryForecast forecast_memory(const ModelConfig& base, const FinetuneOptions& options, Device device,
                                             const ForecastInputs& inputs);

/// Of the files that the options name; 0 where they cannot be looked at.
[[nodiscard]] std::int64_t text_bytes(const FinetuneOptions& options);

/// About how many tokens they become, by the beginnings of a few of them.
[[nodiscard]] std::int64_t sampled_text_tokens(const FinetuneOptions& options, const Tokenizer& tokenizer);

}  // namespace natscope::train
