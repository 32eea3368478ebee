// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>

#include "core/base/expected.h"

namespace natscope {

/// A part of a product out [n, rows]: rows first_n … of the input, rows first_row … of the weights.
struct ProductBlock {
  std::int64_t first_n = 0;
  std::int64_t n = 0;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  int thread = 0;  ///< below kernels::max_threads(), nobody else's at that time
};

/// How a product is cut into blocks that threads share, each computed by its matrix library on one thread.
///
/// The library's own threads wait for each other at the end of every product, which takes milliseconds where other
/// programs want the cores (kernels/shared_work.h). Blocks are as large as can be, since each reads its inputs anew,
/// but some for every thread, and none takes long.
struct ProductBlocks {
  std::int64_t n = 0;
  std::int64_t rows = 0;
  double flops_a_cell = 0;
  std::int64_t n_block = 0;
  std::int64_t row_block = 0;

  /// `most_rows`: of weights in a block. `may_cut_n`: whether several blocks may read the same weights.
  [[nodiscard]] static ProductBlocks of(std::int64_t n, std::int64_t rows, double flops_a_cell, std::int64_t most_rows,
                                        bool may_cut_n);

  [[nodiscard]] std::int64_t n_parts() const { return (n + n_block - 1) / n_block; }
  [[nodiscard]] std::int64_t row_parts() const { return (rows + row_block - 1) / row_block; }
};

/// Calls `multiply` for every block, on several threads where LibTorch's matrix library can be held to one each (MKL);
/// elsewhere on the caller, with the library's own threads. The stop token is looked at before each block. Errors:
/// interrupted; out_of_memory and internal for what `multiply` throws.
[[nodiscard]] Expected<void> share_blocks(const ProductBlocks& blocks,
                                          const std::function<void(const ProductBlock&)>& multiply,
                                          std::stop_token stop);

}  // namespace natscope
