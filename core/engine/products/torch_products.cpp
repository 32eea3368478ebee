// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/products/torch_products.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <utility>

#include "core/device/torch_on_device.h"
#include "core/device/torch_types.h"

namespace natscope {

namespace {

using kernels::ElementType;
using kernels::LinearRow;

constexpr std::int64_t widened_bytes = 64LL << 20U;

/// out (+)= x · weight, both of one type. Of bf16 numbers the sum comes as f32 without a detour.
void multiply(const at::Tensor& x, const at::Tensor& weight, bool add, at::Tensor out) {
  if (x.scalar_type() == at::kFloat) {
    if (add) {
      out.addmm_(x, weight);
    } else {
      at::mm_out(out, x, weight);
    }
  } else if (add) {
    at::addmm_out(out, out, x, weight, at::kFloat);
  } else {
    at::mm_out(out, x, weight, at::kFloat);
  }
}

/// The same with bf16 weights [in, out] beside f32 rows: exact, so many of the outputs at a time.
void multiply_widened(const at::Tensor& x, const at::Tensor& weight, bool add, const at::Tensor& out) {
  const std::int64_t in = weight.size(0);
  const std::int64_t out_size = weight.size(1);
  const std::int64_t block = std::max<std::int64_t>(1, widened_bytes / (in * static_cast<std::int64_t>(sizeof(float))));
  for (std::int64_t first = 0; first < out_size; first += block) {
    const std::int64_t count = std::min(block, out_size - first);
    multiply(x, weight.narrow(1, first, count).to(at::kFloat), add, out.narrow(1, first, count));
  }
}

}  // namespace

TorchProducts::TorchProducts(std::unique_ptr<TorchOnDevice> torch, ElementType dtype)
    : torch_(std::move(torch)), dtype_(dtype) {}

TorchProducts::~TorchProducts() { release_torch_memory(); }

Expected<std::unique_ptr<TorchProducts>> TorchProducts::open(const DeviceModule& module, ElementType dtype) {
  NATSCOPE_TRY(TorchOnDevice torch, TorchOnDevice::open(module));
  return std::unique_ptr<TorchProducts>(new TorchProducts(std::make_unique<TorchOnDevice>(torch), dtype));
}

Expected<void> TorchProducts::run(const float* x, std::int64_t rows, std::span<const LinearRow> products,
                                  bool add) const {
  return torch_->run([&] {
    at::Tensor narrowed;  // x in bf16, once for all products
    for (const LinearRow& product : products) {
      const std::int64_t in = product.in_size;
      const std::int64_t out_size = product.out_size;
      const at::Tensor wide = torch_->packed(x, at::kFloat, {rows, in});
      const at::Tensor out = torch_->packed(product.out, at::kFloat, {rows, out_size});
      const at::ScalarType type = torch_type(product.dtype);
      const at::Tensor weight = torch_->tensor(product.weight, type, {in, out_size}, {1, in});
      if (type == at::kFloat) {
        multiply(wide, weight, add, out);
      } else if (dtype_ == ElementType::f32) {
        multiply_widened(wide, weight, add, out);
      } else {
        if (!narrowed.defined()) narrowed = wide.to(at::kBFloat16);
        // LibTorch's CPU part has no product of bf16 numbers that leaves the sums in f32.
        if (torch_->is_host()) {
          multiply_widened(narrowed.to(at::kFloat), weight, add, out);
        } else {
          multiply(narrowed, weight, add, out);
        }
      }
      if (product.bias != nullptr) out.add_(torch_->packed(product.bias, at::kFloat, {out_size}));
    }
  });
}

}  // namespace natscope
