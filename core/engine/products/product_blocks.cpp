// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/products/product_blocks.h"

#include <algorithm>

#include "core/base/cancel.h"
#include "core/device/torch_errors.h"
#include "kernels/shared_work.h"

// How many threads MKL's products use that the calling thread asks for; returns the number before, 0 for MKL's own
// choice. Weak: another LibTorch may be built without MKL.
extern "C" __attribute__((weak)) int MKL_Set_Num_Threads_Local(int threads);

namespace natscope {

namespace {

constexpr double most_flops = 4e9;   // between two looks at the stop token: 100 ms on a slow core
constexpr double flops_a_ns = 50;    // about what one core does
constexpr std::int64_t small = 128;  // a block this size costs little more than its share of the whole
constexpr std::int64_t blocks_a_thread = 4;

class OneThreadProducts {
 public:
  OneThreadProducts() : before_(MKL_Set_Num_Threads_Local(1)) {}
  OneThreadProducts(const OneThreadProducts&) = delete;
  OneThreadProducts& operator=(const OneThreadProducts&) = delete;
  ~OneThreadProducts() { MKL_Set_Num_Threads_Local(before_); }

 private:
  int before_;
};

bool can_be_shared() { return MKL_Set_Num_Threads_Local != nullptr; }

/// Size of each of `parts` parts, in whole cache lines of the output.
std::int64_t part_of(std::int64_t size, std::int64_t parts) {
  constexpr std::int64_t line = 16;
  return std::min(size, ((size + parts - 1) / parts + line - 1) / line * line);
}

}  // namespace

ProductBlocks ProductBlocks::of(std::int64_t n, std::int64_t rows, double flops_a_cell, std::int64_t most_rows,
                                bool may_cut_n) {
  const int threads = can_be_shared() ? kernels::max_threads() : 1;
  const std::int64_t wanted = threads > 1 ? blocks_a_thread * threads : 1;
  ProductBlocks blocks{n, rows, flops_a_cell, n, std::min(rows, most_rows)};
  while (blocks.n_parts() * blocks.row_parts() < wanted ||
         flops_a_cell * static_cast<double>(blocks.n_block) * static_cast<double>(blocks.row_block) > most_flops) {
    if (may_cut_n && blocks.n_block > blocks.row_block && blocks.n_block >= 2 * small) {
      blocks.n_block = part_of(blocks.n_block, 2);
    } else if (blocks.row_block >= 2 * small) {
      blocks.row_block = part_of(blocks.row_block, 2);
    } else {
      break;
    }
  }
  return blocks;
}

Expected<void> share_blocks(const ProductBlocks& blocks, const std::function<void(const ProductBlock&)>& multiply,
                            std::stop_token stop) {
  const auto multiply_block = [&](int thread, std::int64_t index) {
    ProductBlock block;
    block.first_n = index % blocks.n_parts() * blocks.n_block;
    block.first_row = index / blocks.n_parts() * blocks.row_block;
    block.n = std::min(blocks.n_block, blocks.n - block.first_n);
    block.rows = std::min(blocks.row_block, blocks.rows - block.first_row);
    block.thread = thread;
    multiply(block);
  };
  const std::int64_t parts = blocks.n_parts() * blocks.row_parts();
  const double flops = blocks.flops_a_cell * static_cast<double>(blocks.n) * static_cast<double>(blocks.rows);
  const MemoryWords words{"no memory for a matrix product", "take a smaller chunk"};
  return without_exceptions(words, [&]() -> Expected<void> {
    if (can_be_shared()) {
      kernels::share_work(parts, 1, flops / flops_a_ns, [&](int thread, std::int64_t begin, std::int64_t end) {
        const OneThreadProducts one_thread;
        for (std::int64_t index = begin; index < end && !stop.stop_requested(); ++index) multiply_block(thread, index);
      });
    } else {
      for (std::int64_t index = 0; index < parts && !stop.stop_requested(); ++index) multiply_block(0, index);
    }
    return check(stop);
  });
}

}  // namespace natscope
