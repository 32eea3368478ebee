// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/benchmarks.h"

#include <array>

namespace natscope::bench {
namespace {

constexpr std::array all{
    Benchmark{"decode", "cpu", "one token at a time, 124 M shape, f32 and bf16, 1 k and 8 k deep", decode_dense},
    Benchmark{"decode_kv", "cpu", "the same in bf16 at 8 k with half, a quarter and a tenth of the cache", decode_sparse},
    Benchmark{"prefill", "cpu", "2 k tokens in chunks of 512, 124 M shape, f32 and bf16", prefill},
    Benchmark{"tile", "cpu", "a tile of 256 × 256 attention weights at 4 k tokens", tile},
    Benchmark{"first_picture", "cpu", "prompt to the first attention picture of one head, 124 M shape", first_picture},
    Benchmark{"frame", "cpu", "one frame of the attention map while it pans and zooms", frame},
    Benchmark{"train_step", "train", "an optimiser step, 124 M shape, T = 1024, learned roles and full attention", train_step},
    Benchmark{"backward_roles", "train", "attention's backward pass with role gradients against without", backward_roles},
};

}  // namespace

std::span<const Benchmark> benchmarks() { return all; }

}  // namespace natscope::bench
