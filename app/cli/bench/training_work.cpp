// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/training_work.h"

#include "kernels/shared_work.h"

namespace natscope::bench {
namespace {

constexpr int window = 16;

/// Of one causal pass of attention's two products in all layers.
double attention_flop(const ModelShape& shape, std::int64_t tokens) {
  const double pairs = static_cast<double>(tokens) * static_cast<double>(tokens + 1) / 2.0;
  return 4.0 * pairs * shape.hidden * shape.layers;
}

}  // namespace

Expected<train::TrainOptions> training_options(const ModelShape& shape, int segments, std::int64_t context,
                                               kernels::ElementType dtype, bool full_attention) {
  train::TrainOptions options;
  options.data = "-";
  options.layers = shape.layers;
  options.hidden = shape.hidden;
  options.heads = shape.heads;
  options.kv_heads = shape.kv_heads;
  options.intermediate = shape.intermediate;
  options.vocab = shape.vocab;
  options.context = static_cast<int>(context);
  options.window = window;
  options.batch = segments;
  options.threads = kernels::max_threads();
  options.dtype = dtype;
  options.full_attention = full_attention;
  return train::resolve(options);
}

std::vector<std::int32_t> training_tokens(std::int64_t count, int vocab, std::int64_t first) {
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = first; i < first + count; ++i)
    tokens.push_back(static_cast<std::int32_t>(3 + i * 7919 % (vocab - 3)));
  return tokens;
}

double training_flop(const ModelShape& shape, std::int64_t tokens) {
  return 6.0 * static_cast<double>(shape.matrix_elements()) * static_cast<double>(tokens) +
         3.0 * attention_flop(shape, tokens);
}

double distillation_flop(const ModelShape& shape, std::int64_t tokens) {
  const std::int64_t matrices = shape.matrix_elements() - std::int64_t{shape.vocab} * shape.hidden;
  return 8.0 * static_cast<double>(matrices) * static_cast<double>(tokens) + 5.0 * attention_flop(shape, tokens);
}

}  // namespace natscope::bench
