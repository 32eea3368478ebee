// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/tile_products.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/kernels/random_arrays.h"

using namespace natscope::kernels;
using namespace natscope::kernels::cuda;
using natscope::test::RandomArrays;

namespace {

/// A warp of 32 lanes with the two instructions as the PTX manual describes them, every lane's registers side by side.
struct ModelWarp {
  using Words = std::array<std::array<std::uint32_t, 4>, 32>;  // [lane][register]
  using Sums = std::array<std::array<float, 4>, 32>;

  static std::uint32_t pair(Bf16 low, Bf16 high) { return low.bits | (static_cast<std::uint32_t>(high.bits) << 16U); }
  static float half(std::uint32_t word, int which) {
    return to_float(Bf16{static_cast<std::uint16_t>(word >> (16 * which))});
  }

  /// Lanes 8 j … 8 j + 7 name the rows of matrix j; lane t gets of it row t / 4, columns 2 (t mod 4) and the next.
  template <class Offset>
  void load(Words& to, const Bf16* from, const Offset& offset) const {
    for (int lane = 0; lane < 32; ++lane) {
      for (int matrix = 0; matrix < 4; ++matrix) {
        const Bf16* const row = from + offset(matrix * 8 + lane / 4);
        to[at(lane)][at(matrix)] = pair(row[lane % 4 * 2], row[lane % 4 * 2 + 1]);
      }
    }
  }
  /// Transposed: lane t gets column t / 4, rows 2 (t mod 4) and the next.
  template <class Offset>
  void load_transposed(Words& to, const Bf16* from, const Offset& offset) const {
    for (int lane = 0; lane < 32; ++lane) {
      for (int matrix = 0; matrix < 4; ++matrix) {
        const Bf16* const upper = from + offset(matrix * 8 + lane % 4 * 2);
        const Bf16* const lower = from + offset(matrix * 8 + lane % 4 * 2 + 1);
        to[at(lane)][at(matrix)] = pair(upper[lane / 4], lower[lane / 4]);
      }
    }
  }
  /// mma.m16n8k16: A and B put together from the lanes' fragments, multiplied, and handed out again.
  void multiply_add(Sums& sum, const Words& left, const Words& right, int first) const {
    float a[16][16];
    float b[16][8];
    for (int lane = 0; lane < 32; ++lane) {
      const int group = lane / 4;
      const int thread = lane % 4;
      for (int i = 0; i < 8; ++i) {
        const int row = group + (i % 4 < 2 ? 0 : 8);
        const int column = thread * 2 + i % 2 + (i < 4 ? 0 : 8);
        a[row][column] = half(left[at(lane)][at(i / 2)], i % 2);
      }
      for (int i = 0; i < 4; ++i)
        b[thread * 2 + i % 2 + (i < 2 ? 0 : 8)][group] = half(right[at(lane)][at(first + i / 2)], i % 2);
    }
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        for (int k = 0; k < 16; ++k) {
          sum[at(lane)][at(i)] += a[lane / 4 + (i < 2 ? 0 : 8)][k] * b[k][lane % 4 * 2 + i % 2];
        }
      }
    }
  }
  void round(Words& to, const Sums& first, const Sums& second) const {
    for (std::size_t lane = 0; lane < 32; ++lane) {
      to[lane] = {pair(to_bf16(first[lane][0]), to_bf16(first[lane][1])),
                  pair(to_bf16(first[lane][2]), to_bf16(first[lane][3])),
                  pair(to_bf16(second[lane][0]), to_bf16(second[lane][1])),
                  pair(to_bf16(second[lane][2]), to_bf16(second[lane][3]))};
    }
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
};

/// A tile of small whole numbers, exact in bf16 and in every sum; its padding is NaN, which no product may touch.
template <class Shape>
std::vector<Bf16> random_tile(RandomArrays& random) {
  std::vector<Bf16> tile(Shape::elements, to_bf16(std::numeric_limits<float>::quiet_NaN()));
  for (int row = 0; row < Shape::rows; ++row) {
    for (int column = 0; column < Shape::dim; ++column) {
      tile[static_cast<std::size_t>(row * Shape::stride + column)] = to_bf16(static_cast<float>(random.between(-4, 4)));
    }
  }
  return tile;
}

template <int dim>
void check_products(RandomArrays& random) {
  using Shape = TileShape<Bf16, dim>;
  const std::vector<Bf16> left = random_tile<Shape>(random);
  const std::vector<Bf16> right = random_tile<Shape>(random);
  const auto number = [](const std::vector<Bf16>& tile, int row, int column) {
    return to_float(tile[static_cast<std::size_t>(row * Shape::stride + column)]);
  };
  for (int warp = 0; warp < Shape::warps; ++warp) {
    ModelWarp::Sums scores[Shape::score_tiles] = {};
    rows_product_steps<Shape>(ModelWarp(), scores, left.data() + warp * 16 * Shape::stride, right.data());
    int wrong = 0;
    for (int lane = 0; lane < 32; ++lane) {
      for (int tile = 0; tile < Shape::score_tiles; ++tile) {
        for (int i = 0; i < 4; ++i) {
          float expected = 0;
          for (int d = 0; d < dim; ++d) {
            expected +=
                number(left, warp * 16 + lane_row(lane, i / 2), d) * number(right, lane_column(lane, tile, i % 2), d);
          }
          wrong += scores[tile][static_cast<std::size_t>(lane)][static_cast<std::size_t>(i)] == expected ? 0 : 1;
        }
      }
    }
    CHECK(wrong == 0);

    // Weights small enough to be exact, each of its own row and column.
    const auto weight = [](int row, int column) { return static_cast<float>((row * 7 + column * 3) % 11 - 5); };
    ModelWarp::Sums weights[Shape::score_tiles] = {};
    for (int lane = 0; lane < 32; ++lane) {
      for (int tile = 0; tile < Shape::score_tiles; ++tile) {
        for (int i = 0; i < 4; ++i) {
          weights[tile][static_cast<std::size_t>(lane)][static_cast<std::size_t>(i)] =
              weight(lane_row(lane, i / 2), lane_column(lane, tile, i % 2));
        }
      }
    }
    ModelWarp::Sums sums[Shape::dim_tiles] = {};
    columns_product_steps<Shape>(ModelWarp(), sums, weights, right.data());
    for (int lane = 0; lane < 32; ++lane) {
      for (int part = 0; part < Shape::dim_tiles; ++part) {
        for (int i = 0; i < 4; ++i) {
          float expected = 0;
          for (int column = 0; column < Shape::rows; ++column) {
            expected += weight(lane_row(lane, i / 2), column) * number(right, column, lane_column(lane, part, i % 2));
          }
          wrong += sums[part][static_cast<std::size_t>(lane)][static_cast<std::size_t>(i)] == expected ? 0 : 1;
        }
      }
    }
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE("a warp's fragments multiply to the product of its tiles") {
  RandomArrays random(95);
  INFO(random.how_to_repeat());
  check_products<64>(random);
  check_products<128>(random);
  check_products<256>(random);
}
