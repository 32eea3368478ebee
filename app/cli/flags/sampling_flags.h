// SPDX-License-Identifier: GPL-3.0-or-later
/// How tokens are chosen, wherever text is generated.
#pragma once

#include <CLI/App.hpp>
#include <optional>

#include "core/base/expected.h"
#include "core/io/model_folder.h"
#include "core/sampling/sampler.h"

namespace natscope {

class SamplingFlags {
 public:
  void add_to(CLI::App& command);

  /// Flags over generation_config.json over temperature 0.8, top-p 0.95.
  /// Errors: usage (a flag outside its range), bad_generation_config (a value of the file that no flag replaces).
  [[nodiscard]] Expected<SamplingOptions> options(const GenerationDefaults& defaults, std::uint64_t seed) const;

 private:
  [[nodiscard]] SamplingOptions merged(const GenerationDefaults& defaults, std::uint64_t seed) const;

  bool greedy_ = false;
  std::optional<double> temperature_;
  std::optional<std::int32_t> top_k_;
  std::optional<double> top_p_;
  std::optional<double> min_p_;
  std::optional<double> repetition_penalty_;
};

}  // namespace natscope
