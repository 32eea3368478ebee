// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/benchmarks.h"

#include <array>

namespace natscope::bench {
namespace {

constexpr std::array all{
    Benchmark{"decode", "one token at a time, 124 M shape, f32 and bf16, 1 k and 8 k deep", decode_dense},
    Benchmark{"decode_kv", "the same in bf16 at 8 k with half, a quarter and a tenth of the cache", decode_sparse},
    Benchmark{"prefill", "2 k tokens in chunks of 512, 124 M shape, f32 and bf16", prefill},
    Benchmark{"tile", "a tile of 256 × 256 attention weights at 4 k tokens", tile},
    Benchmark{"first_picture", "prompt to the first attention picture of one head, 124 M shape", first_picture},
    Benchmark{"frame", "one frame of the attention map while it pans and zooms", frame},
};

}  // namespace

std::span<const Benchmark> benchmarks() { return all; }

}  // namespace natscope::bench
