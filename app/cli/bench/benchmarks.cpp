// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/benchmarks.h"

#include <array>

namespace natscope::bench {

std::span<const Benchmark> benchmarks() {
  static const std::array all{
      Benchmark{"decode",
                "cpu",
                "one token at a time, 124 M shape, f32 and bf16, 1 k and 8 k deep",
                decode_dense,
                {"decode_f32_1k", "decode_f32_8k", "decode_bf16_1k", "decode_bf16_8k"}},
      Benchmark{"decode_kv",
                "cpu",
                "the same in bf16 at 8 k with half, a quarter and a tenth of the cache",
                decode_sparse,
                {"decode_bf16_8k_kv50", "decode_bf16_8k_kv25", "decode_bf16_8k_kv10"}},
      Benchmark{"prefill",
                "cpu",
                "2 k tokens in chunks of 512, 124 M shape, f32 and bf16",
                prefill,
                {"prefill_f32_2k", "prefill_bf16_2k"}},
      Benchmark{"tile", "cpu", "a tile of 256 × 256 attention weights at 4 k tokens", tile, {"tile_4k"}},
      Benchmark{"first_picture",
                "cpu",
                "prompt to the first attention picture of one head, 124 M shape",
                first_picture,
                {"first_picture_128", "first_picture_512", "first_picture_2048"}},
      Benchmark{"frame",
                "cpu",
                "one frame of the attention map while it pans and zooms",
                frame,
                {"frame_4096", "frame_16384"}},
      Benchmark{"train_step",
                "train",
                "an optimiser step, 124 M shape, T = 1024, learned roles and full attention",
                train_step,
                {"train_step_124m", "train_step_124m_full"}},
      Benchmark{"backward_roles",
                "train",
                "attention's backward pass with role gradients against without",
                backward_roles,
                {"backward_roles_cpu_64", "backward_roles_cpu_64_masked", "backward_roles_cpu_128",
                 "backward_roles_cpu_128_masked"}},
  };
  return all;
}

}  // namespace natscope::bench
