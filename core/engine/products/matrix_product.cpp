// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/products/matrix_product.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <latch>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/cancel.h"
#include "core/engine/products/product_blocks.h"
#include "core/row_math/row_math.h"
#include "kernels/linear.h"
#include "kernels/shared_work.h"

namespace natscope {

namespace {

using kernels::Bf16;
using kernels::ElementType;

constexpr std::int64_t converted_bytes = 4LL << 20U;  // a block of weights that is converted fits a core's cache nearly

at::Tensor tensor(const void* data, at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType type) {
  return at::from_blob(const_cast<void*>(data), sizes, strides, at::TensorOptions().dtype(type));
}

/// out (+)= x · weightᵀ.
void multiply_f32(const float* x, std::int64_t n, std::int64_t cols, const float* weight, std::int64_t rows, bool add,
                  float* out, std::int64_t out_stride) {
  at::Tensor result = tensor(out, {n, rows}, {out_stride, 1}, at::kFloat);
  const at::Tensor left = tensor(x, {n, cols}, {cols, 1}, at::kFloat);
  const at::Tensor right = tensor(weight, {cols, rows}, {1, cols}, at::kFloat);
  if (add) {
    result.addmm_(left, right);
  } else {
    at::mm_out(result, left, right);
  }
}

Expected<void> run_row(const ProductInput& input, std::int64_t row, const Matrix& weight, std::span<const float> bias,
                       float* out, std::vector<float>& rounded) {
  const float* x = input.f32() + row * input.cols();
  if (input.dtype() == ElementType::bf16) {
    rounded.resize(static_cast<std::size_t>(input.cols()));
    row_math::convert(input.bf16(0) + row * input.cols(), input.cols(), rounded.data());
    x = rounded.data();
  }
  const kernels::LinearRow product{
      weight.data, weight.dtype, weight.rows, weight.cols, bias.empty() ? nullptr : bias.data(), out};
  const kernels::Status status =
      kernels::linear_row(kernels::Backend::cpu, {x, static_cast<std::size_t>(input.cols())}, {&product, 1});
  if (!status.ok()) return fail(ErrorCode::internal, std::string("product of one row: ") + status.detail);
  return {};
}

void add_bias(std::span<const float> bias, kernels::View<float, 2> out) {
  if (bias.empty()) return;
  kernels::share_rows(out.size(0), row_math::loop_ns(out.size(1)),
                      [&](std::int64_t row) { row_math::add(&out(row, 0), bias.data(), out.size(1)); });
}

}  // namespace

void ProductInput::set(kernels::ConstView<float, 2> rows, ElementType dtype) {
  rows_ = rows;
  dtype_ = dtype;
  is_split_ = false;
  if (dtype == ElementType::bf16) parts_.resize(static_cast<std::size_t>(rows.size(0) * rows.size(1)));
}

void ProductInput::row_is_ready(std::int64_t row) {
  if (dtype_ == ElementType::f32) return;
  row_math::convert(rows_.data + row * rows_.size(1), rows_.size(1), parts_.data() + row * rows_.size(1));
}

void ProductInput::all_are_ready() {
  if (dtype_ == ElementType::f32) return;
  kernels::share_rows(rows_.size(0), row_math::loop_ns(rows_.size(1)), [&](std::int64_t row) { row_is_ready(row); });
}

void ProductInput::split() {
  if (is_split_) return;
  const std::int64_t cols = rows_.size(1);
  const std::int64_t size = rows_.size(0) * cols;
  parts_.resize(static_cast<std::size_t>(3 * size));
  constexpr std::int64_t rows_a_step = 16;
  kernels::share_work(rows_.size(0), rows_a_step, 9 * row_math::loop_ns(size),
                      [&](int, std::int64_t begin, std::int64_t end) {
                        std::vector<float> rest(static_cast<std::size_t>(cols));
                        std::vector<float> taken(static_cast<std::size_t>(cols));
                        for (std::int64_t row = begin; row < end; ++row) {
                          std::copy_n(rows_.data + row * cols, cols, rest.data());
                          for (int part = 0; part < 3; ++part) {
                            Bf16* const to = parts_.data() + part * size + row * cols;
                            row_math::convert(rest.data(), cols, to);
                            row_math::convert(to, cols, taken.data());
                            for (std::int64_t i = 0; i < cols; ++i)
                              rest[static_cast<std::size_t>(i)] -= taken[static_cast<std::size_t>(i)];
                          }
                        }
                      });
  is_split_ = true;
}

const Bf16* ProductInput::bf16(int part) const { return parts_.data() + part * rows_.size(0) * rows_.size(1); }

Expected<void> MatrixProduct::run(ProductInput& input, const Matrix& weight, std::span<const float> bias,
                                  kernels::View<float, 2> out, std::stop_token stop, Into into) {
  const std::int64_t n = input.rows();
  const std::int64_t cols = input.cols();
  const bool add = into == Into::added;
  if (n == 0) return {};
  if (n == 1) {
    if (!add) return run_row(input, 0, weight, bias, out.data, rounded_);
    product_.resize(static_cast<std::size_t>(weight.rows));
    NATSCOPE_CHECK(run_row(input, 0, weight, bias, product_.data(), rounded_));
    row_math::add(out.data, product_.data(), weight.rows);
    return {};
  }
  const bool narrow = input.dtype() == ElementType::f32 && weight.dtype != ElementType::f32;
  const bool split = narrow && weight.dtype == ElementType::bf16 && Bf16Product::splits_pay();
  const bool convert = narrow && !split;
  if (split) input.split();
  const bool packs = input.dtype() == ElementType::bf16 && Bf16Product::packs_weights();
  const auto threads = static_cast<std::size_t>(kernels::max_threads());
  if (convert && converted_.size() < threads) converted_.resize(threads);
  if (bf16_products_.size() < threads) bf16_products_.resize(threads);

  const auto multiply = [&](const ProductBlock& block) {
    const c10::InferenceMode no_gradients;
    const std::int64_t x = block.first_n * cols;
    float* const to = &out(block.first_n, block.first_row);
    const auto* const f32 = static_cast<const float*>(weight.data) + block.first_row * cols;
    const auto* const bf16 = static_cast<const Bf16*>(weight.data) + block.first_row * cols;
    Bf16Product& product = bf16_products_[static_cast<std::size_t>(block.thread)];
    if (split) {
      for (int part = 2; part >= 0; --part) {
        product.multiply(input.bf16(part) + x, block.n, cols, bf16, block.rows, add || part != 2, to, out.stride(0));
      }
    } else if (convert) {
      std::vector<float>& converted = converted_[static_cast<std::size_t>(block.thread)];
      converted.resize(static_cast<std::size_t>(block.rows * cols));
      if (weight.dtype == ElementType::f16) {
        const auto* const f16 = static_cast<const kernels::F16*>(weight.data) + block.first_row * cols;
        row_math::convert(f16, block.rows * cols, converted.data());
      } else {
        row_math::convert(bf16, block.rows * cols, converted.data());
      }
      multiply_f32(input.f32() + x, block.n, cols, converted.data(), block.rows, add, to, out.stride(0));
    } else if (input.dtype() == ElementType::bf16) {
      product.multiply(input.bf16(0) + x, block.n, cols, bf16, block.rows, add, to, out.stride(0));
    } else {
      multiply_f32(input.f32() + x, block.n, cols, f32, block.rows, add, to, out.stride(0));
    }
  };
  const double cell_flops = 2.0 * static_cast<double>(cols) * (split ? 3 : 1);
  const std::int64_t most_rows = convert ? std::max<std::int64_t>(1, converted_bytes / (cols * 4)) : weight.rows;
  NATSCOPE_CHECK(
      share_blocks(ProductBlocks::of(n, weight.rows, cell_flops, most_rows, !convert && !packs), multiply, stop));
  add_bias(bias, out);
  return {};
}

Expected<void> MatrixProduct::run_row_by_row(const ProductInput& input, const Matrix& weight,
                                             kernels::View<float, 2> out, const std::stop_token& stop) {
  NATSCOPE_CHECK(check(stop));
  constexpr std::int64_t rows_a_step = 8;
  constexpr double terms_a_ns = 8;  // about what one core multiplies and adds
  const auto row_ns = static_cast<double>(weight.rows * weight.cols) / terms_a_ns;
  std::mutex mutex;
  std::optional<Error> problem;
  kernels::share_work(input.rows(), rows_a_step, static_cast<double>(input.rows()) * row_ns,
                      [&](int, std::int64_t begin, std::int64_t end) {
                        std::vector<float> rounded;
                        for (std::int64_t row = begin; row < end; ++row) {
                          if (Expected<void> done = run_row(input, row, weight, {}, &out(row, 0), rounded); !done) {
                            const std::scoped_lock lock(mutex);
                            if (!problem) problem = std::move(done).error();
                          }
                        }
                      });
  if (problem) return Unexpected(std::move(*problem));
  return {};
}

Expected<void> check_threads(int threads) {
  std::latch all(1);
  std::vector<std::jthread> started;
  try {
    for (int thread = 1; thread < threads; ++thread) started.emplace_back([&all] { all.wait(); });
  } catch (const std::exception&) {  // no thread, or no memory for one: those that wait must not wait for ever
    all.count_down();
    return fail(ErrorCode::out_of_memory, std::to_string(threads) + " threads cannot be started here",
                "give fewer with --threads, or raise the limit on processes or on memory");
  }
  all.count_down();
  return {};
}

void use_threads(int threads) {
  static thread_local int in_use = 0;
  if (in_use == threads) return;
  at::set_num_threads(threads);
  kernels::set_threads(threads);
  in_use = threads;
}

}  // namespace natscope
