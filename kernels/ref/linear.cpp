// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/ref/operations.h"
#include "kernels/ref/stored_element.h"

namespace natscope::kernels::ref {

Status linear_row(std::span<const float> x, std::span<const LinearRow> products) {
  for (const LinearRow& product : products) {
    for (std::int64_t row = 0; row < product.out_size; ++row) {
      double sum = product.bias != nullptr ? product.bias[row] : 0.0;
      for (std::int64_t col = 0; col < product.in_size; ++col) {
        sum += stored_element(product.weight, product.dtype, row * product.in_size + col) *
               x[static_cast<std::size_t>(col)];
      }
      product.out[row] = static_cast<float>(sum);
    }
  }
  return {};
}

}  // namespace natscope::kernels::ref
