// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "core/base/expected.h"
#include "core/engine/products/bf16_product.h"
#include "core/engine/products/prepared_weights.h"
#include "kernels/views.h"

namespace natscope {

/// The rows that several products read, in the type that they are computed in: rounded to bf16 once, or split once.
///
///   rows [n, cols] packed f32. An f32 engine multiplies f32 rows; a bf16 engine rounds them first and adds up in f32.
///
///   input.set(rows, dtype);
///   for (each row, on any thread) { … make the row …; input.row_is_ready(row); }   // while it is still near
class ProductInput {
 public:
  /// `rows` must outlive the products made from it.
  void set(kernels::ConstView<float, 2> rows, kernels::ElementType dtype);
  /// Row `row` holds its numbers now. Different rows may be made ready on different threads.
  void row_is_ready(std::int64_t row);
  /// All rows hold their numbers already.
  void all_are_ready();

  [[nodiscard]] std::int64_t rows() const { return rows_.size(0); }
  [[nodiscard]] std::int64_t cols() const { return rows_.size(1); }
  [[nodiscard]] kernels::ElementType dtype() const { return dtype_; }
  [[nodiscard]] const float* f32() const { return rows_.data; }
  /// The rows as bf16 (bf16 engines), or part 0, 1, 2 of f32 rows: bf16 numbers that add up to them exactly.
  [[nodiscard]] const kernels::Bf16* bf16(int part) const;
  /// Makes the three parts, if they are not there yet.
  void split();

 private:
  kernels::ConstView<float, 2> rows_;
  kernels::ElementType dtype_ = kernels::ElementType::f32;
  bool is_split_ = false;
  std::vector<kernels::Bf16> parts_;
};

/// Products of many rows with weight matrices, through LibTorch's matrix libraries. Owns their scratch memory.
/// One object a thread.
class MatrixProduct {
 public:
  enum class Into : std::uint8_t { replaced, added };

  /// out [n, weight.rows] (stride of rows free, columns packed) = input · weightᵀ + bias, or grows by it. `bias` may be
  /// empty. Cost: at the matrix libraries' rate; the stop token is looked at every few gigaflops. Errors: interrupted,
  /// internal (LibTorch refused), out_of_memory.
  [[nodiscard]] Expected<void> run(ProductInput& input, const Matrix& weight, std::span<const float> bias,
                                   kernels::View<float, 2> out, std::stop_token stop, Into into = Into::replaced);

  /// The same with each row's sums in the order of a single row. For numbers that are compared: equal weights give
  /// equal ones whichever column they stand in, however many rows there are. The libraries' products of few columns do
  /// not. Cost: weights are read once a row.
  [[nodiscard]] Expected<void> run_row_by_row(const ProductInput& input, const Matrix& weight,
                                              kernels::View<float, 2> out, const std::stop_token& stop);

 private:
  std::vector<std::vector<float>> converted_;  // each thread's block of narrower weights as f32
  std::vector<Bf16Product> bf16_products_;     // one a thread
  std::vector<float> rounded_;                 // one row
  std::vector<float> product_;                 // of one row, before it is added
};

/// Sets the number of threads that loops and products of the calling thread are shared among, LibTorch's as well.
void use_threads(int threads);
/// Whether so many can be started: a library that gets fewer than it asked for waits for the rest for ever.
/// Errors: out_of_memory.
[[nodiscard]] Expected<void> check_threads(int threads);

}  // namespace natscope
