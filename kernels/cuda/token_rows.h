// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/cuda/host_device.h"
#include "kernels/device_operations.h"

/// Which rows of weights a warp of a step's product has, for the device and for the CPU test that holds it to `ref`.
namespace natscope::kernels::cuda {

inline constexpr int token_rows_at_once = 2;  ///< rows of weights of a warp, that share one reading of x

/// One row of one of the products.
struct TokenRow {
  std::int32_t product = -1;  ///< -1: none
  std::int64_t row = 0;
};

/// Groups of token_rows_at_once rows: of the products one after the other; where they gate each other, a row of both.
struct TokenRows {
  std::int64_t groups = 0;

  NATSCOPE_HD explicit TokenRows(const TokenProducts& call) : call_(&call) {
    if (call.into == TokenProducts::Into::gate) {
      groups = call.products[0].out_size;
      return;
    }
    std::int64_t rows = 0;
    for (std::int32_t product = 0; product < call.count; ++product) rows += call.products[product].out_size;
    groups = (rows + token_rows_at_once - 1) / token_rows_at_once;
  }
  [[nodiscard]] NATSCOPE_HD TokenRow row(std::int64_t group, int index) const {
    if (call_->into == TokenProducts::Into::gate) return {index, group};
    std::int64_t row = group * token_rows_at_once + index;
    for (std::int32_t product = 0; product < call_->count; ++product) {
      if (row < call_->products[product].out_size) return {product, row};
      row -= call_->products[product].out_size;
    }
    return {};
  }

 private:
  const TokenProducts* call_;
};

/// Products [begin, end) that one kernel can take: of one type of weights.
[[nodiscard]] inline std::int32_t end_of_run(const TokenProducts& call, std::int32_t begin) {
  std::int32_t end = begin + 1;
  while (end < call.count && call.products[end].dtype == call.products[begin].dtype) ++end;
  return end;
}

}  // namespace natscope::kernels::cuda
