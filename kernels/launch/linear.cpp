// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/linear.h"

#include "kernels/cpu/operations.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status linear_row(Backend backend, std::span<const float> x, std::span<const LinearRow> products) {
  for (const LinearRow& product : products) {
    if (product.in_size != static_cast<std::int64_t>(x.size()))
      return {StatusCode::shape_mismatch, "in_size: the size of x"};
    if (product.out_size < 0) return {StatusCode::shape_mismatch, "out_size: below 0"};
  }
  switch (backend) {
    case Backend::ref:
      return ref::linear_row(x, products);
    case Backend::cpu:
      return cpu::linear_row(x, products);
    case Backend::cuda:
      break;
  }
  return {StatusCode::backend_unavailable, "linear_row"};
}

}  // namespace natscope::kernels
