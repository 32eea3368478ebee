// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cpu/tiles.h"
#include "tests/kernels/random_arrays.h"

#if defined(__x86_64__)
#include "kernels/cpu/tile_product-inl.h"

namespace natscope::test {
namespace {

using namespace kernels;
using kernels::cpu::Bf16Bits;

struct Shape {
  std::int64_t row_tiles;
  std::int64_t column_tiles;
  std::int64_t depth;
  std::int64_t beyond;  // numbers behind a row of A, B or C that belong to nobody
};

using Product = void (*)(const Bf16Bits* a, std::int64_t a_bytes, const Bf16Bits* b, std::int64_t b_bytes,
                         std::int64_t depth, float* c, std::int64_t c_bytes, std::int64_t row_tiles,
                         std::int64_t column_tiles);

constexpr float poison = std::numeric_limits<float>::quiet_NaN();

/// rows × columns of random numbers, `beyond` NaN behind each row.
std::vector<Bf16Bits> random_matrix(RandomArrays& random, std::int64_t rows, std::int64_t columns,
                                    std::int64_t beyond) {
  std::vector<Bf16Bits> bits;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (const float number : random.normal(columns)) bits.push_back(to_bf16(number).bits);
    bits.resize(bits.size() + static_cast<std::size_t>(beyond), to_bf16(poison).bits);
  }
  return bits;
}

void check_product(RandomArrays& random, const Shape& shape, bool accumulate, Product product) {
  CAPTURE(shape.row_tiles);
  CAPTURE(shape.column_tiles);
  CAPTURE(shape.depth);
  CAPTURE(accumulate);
  const std::int64_t rows = 16 * shape.row_tiles;
  const std::int64_t columns = 16 * shape.column_tiles;
  const std::int64_t a_row = 32 * shape.depth + 2 * shape.beyond;
  const std::int64_t b_row = 2 * columns + 2 * shape.beyond;
  const std::int64_t c_row = columns + shape.beyond;
  const std::vector<Bf16Bits> a = random_matrix(random, rows, 32 * shape.depth, 2 * shape.beyond);
  const std::vector<Bf16Bits> b = random_matrix(random, 16 * shape.depth, 2 * columns, 2 * shape.beyond);
  std::vector<float> c(static_cast<std::size_t>(rows * c_row), poison);
  const auto before = [](std::int64_t r, std::int64_t j) { return static_cast<float>(r - 2 * j); };
  for (std::int64_t r = 0; accumulate && r < rows; ++r) {
    for (std::int64_t j = 0; j < columns; ++j) c[static_cast<std::size_t>(r * c_row + j)] = before(r, j);
  }
  {
    const cpu::TileSession session;
    product(a.data(), 2 * a_row, b.data(), 2 * b_row, shape.depth, c.data(), 4 * c_row, shape.row_tiles,
            shape.column_tiles);
  }
  const auto number = [](const std::vector<Bf16Bits>& matrix, std::int64_t at) -> double {
    return to_float(Bf16{matrix[static_cast<std::size_t>(at)]});
  };
  std::int64_t wrong = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < c_row; ++j) {
      const double found = c[static_cast<std::size_t>(r * c_row + j)];
      if (j >= columns) {
        wrong += std::isnan(found) ? 0 : 1;
        continue;
      }
      double sum = accumulate ? before(r, j) : 0;
      double size = std::abs(sum);
      for (std::int64_t k = 0; k < 32 * shape.depth; ++k) {
        const double term = number(a, r * a_row + k) * number(b, k / 2 * b_row + 2 * j + k % 2);
        sum += term;
        size += std::abs(term);
      }
      wrong += std::abs(found - sum) <= size * 1e-6 ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
}

void check_products(Product replaced, Product added) {
  RandomArrays random(71);
  INFO(random.how_to_repeat());
  for (const Shape& shape : {Shape{1, 2, 1, 0}, Shape{2, 2, 1, 16}, Shape{3, 4, 2, 16}, Shape{4, 6, 3, 32}}) {
    check_product(random, shape, false, replaced);
    check_product(random, shape, true, added);
  }
}

TEST_CASE("products of tiles in vectors are those of plain loops") {
  if (!cpu::tiles_available()) {
    MESSAGE("not run: no products of bf16 pairs here");
    return;
  }
  check_products(cpu::tile_product_vectors<false>, cpu::tile_product_vectors<true>);
}

TEST_CASE("products of tiles in the processor's tiles are those of plain loops") {
  if (!cpu::tiles_in_hardware()) {
    MESSAGE("not run: no matrix tiles here");
    return;
  }
  check_products(cpu::tile_product_amx<false>, cpu::tile_product_amx<true>);
}

}  // namespace
}  // namespace natscope::test
#endif
