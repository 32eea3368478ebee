// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/cuda/train_loops.h"
#include "kernels/cuda/train_scratch.h"
#include "tests/kernels/host_team.h"

/// What train_loops.h and prefill_loops.h call a Block of queries, over plain arrays with its products written out.
namespace natscope::test {

inline float operand(float number, kernels::ElementType dtype) {
  return dtype == kernels::ElementType::bf16 ? kernels::to_float(kernels::to_bf16(number)) : number;
}

/// One tile of rows, or a square of scores. Starts as NaN: what was not fetched shows.
using Numbers = std::vector<float>;
inline Numbers nothing(std::int64_t count) {
  return Numbers(static_cast<std::size_t>(count), std::numeric_limits<float>::quiet_NaN());
}

/// Arrays of one (batch item, KV head), and its plan in memory of its own.
struct TrainUnit {
  TrainUnit(const kernels::AttentionTrainInputs& in, std::int64_t batch_item, std::int64_t head)
      : inputs(in),
        sizes(in),
        batch(batch_item),
        kv_head(head),
        masks(),
        next_global(static_cast<std::size_t>(sizes.length), -7),
        ranges(static_cast<std::size_t>(sizes.blocks() * role_count)) {
    for (auto& numbers : by_place) numbers.assign(static_cast<std::size_t>(sizes.places), -7);
    plan = {static_cast<std::int32_t>(sizes.length),
            static_cast<std::int32_t>(sizes.tile),
            next_global.data(),
            by_place[0].data(),
            by_place[1].data(),
            by_place[2].data(),
            by_place[3].data(),
            by_place[4].data(),
            runs.data(),
            ranges.data()};
    const std::int64_t window = std::min(in.window, sizes.length);
    kernels::cuda::build_train_plan(HostTeam(), plan, &in.roles(batch, kv_head, 0), in.roles.stride(2), window,
                                    static_cast<std::int32_t>(sizes.places), masks, counts.data());
  }

  [[nodiscard]] std::int64_t tile() const { return sizes.tile; }

  /// Places of a tile as rows, zeros where there is no key.
  [[nodiscard]] Numbers key_rows(const kernels::ConstView<float, 4>& from, std::int32_t tile_index) const {
    Numbers rows(static_cast<std::size_t>(tile() * sizes.head_dim), 0.0F);
    for (std::int64_t row = 0; row < tile(); ++row) {
      const std::int32_t n = plan.position[tile_index * tile() + row];
      if (n == kernels::cuda::no_position) continue;
      for (std::int64_t d = 0; d < sizes.head_dim; ++d) {
        rows[static_cast<std::size_t>(row * sizes.head_dim + d)] = operand(from(batch, kv_head, n, d), inputs.dtype);
      }
    }
    return rows;
  }
  [[nodiscard]] Numbers query_rows(const kernels::ConstView<float, 4>& from, std::int64_t head,
                                   std::int32_t block) const {
    Numbers rows(static_cast<std::size_t>(tile() * sizes.head_dim), 0.0F);
    for (std::int64_t row = 0; row < tile() && block * tile() + row < sizes.length; ++row) {
      for (std::int64_t d = 0; d < sizes.head_dim; ++d) {
        rows[static_cast<std::size_t>(row * sizes.head_dim + d)] =
            operand(from(batch, head, block * tile() + row, d), inputs.dtype);
      }
    }
    return rows;
  }

  const kernels::AttentionTrainInputs& inputs;
  kernels::cuda::TrainSizes sizes;
  std::int64_t batch, kv_head;
  kernels::cuda::RoleMasks masks;
  std::array<std::int32_t, role_count> counts{};
  std::array<kernels::cuda::PlaceRange, role_count> runs{};
  std::vector<std::int32_t> next_global;
  std::array<std::vector<std::int32_t>, 5> by_place;
  std::vector<kernels::cuda::PlaceRange> ranges;
  kernels::cuda::TrainPlan plan;
};

/// What both kinds of block share: two stages, and the products of tile_math.cuh.
class HostBlock {
 public:
  explicit HostBlock(const TrainUnit& unit) : unit_(unit), scores_(nothing(unit.tile() * unit.tile())), dp_(scores_) {}

  [[nodiscard]] static int stages() { return 2; }
  void commit() {}
  void arrive() {}
  void leave() {}

  template <class F>
  void each_pair(const F& f) {
    for (std::int32_t row = 0; row < unit_.tile(); ++row) {
      for (std::int32_t column = 0; column < unit_.tile(); ++column)
        f(row, column, scores_[at(row, column)], dp_[at(row, column)]);
    }
  }

 protected:
  [[nodiscard]] std::size_t at(std::int64_t row, std::int64_t column) const {
    return static_cast<std::size_t>(row * unit_.tile() + column);
  }
  void rows_product(const Numbers& left, const Numbers& right, Numbers& product) const {
    const std::int64_t dim = unit_.sizes.head_dim;
    Numbers turned(right.size());  // [dim, column]: the inner loop then runs along memory
    for (std::int64_t column = 0; column < unit_.tile(); ++column) {
      for (std::int64_t d = 0; d < dim; ++d)
        turned[static_cast<std::size_t>(d * unit_.tile() + column)] = right[static_cast<std::size_t>(column * dim + d)];
    }
    std::fill(product.begin(), product.end(), 0.0F);
    for (std::int64_t row = 0; row < unit_.tile(); ++row) {
      float* const sums = product.data() + row * unit_.tile();
      for (std::int64_t d = 0; d < dim; ++d) {
        const float number = left[static_cast<std::size_t>(row * dim + d)];
        const float* const numbers = turned.data() + d * unit_.tile();
        for (std::int64_t column = 0; column < unit_.tile(); ++column) sums[column] += number * numbers[column];
      }
    }
  }
  void columns_product(const Numbers& weights, const Numbers& right, Numbers& sums) const {
    const std::int64_t dim = unit_.sizes.head_dim;
    for (std::int64_t row = 0; row < unit_.tile(); ++row) {
      float* const of_row = sums.data() + row * dim;
      for (std::int64_t column = 0; column < unit_.tile(); ++column) {
        const float weight = operand(weights[at(row, column)], unit_.inputs.dtype);
        const float* const numbers = right.data() + column * dim;
        for (std::int64_t d = 0; d < dim; ++d) of_row[d] += weight * numbers[d];
      }
    }
  }

  const TrainUnit& unit_;
  Numbers scores_;
  Numbers dp_;
};

class HostQueryBlock : public HostBlock {
 public:
  HostQueryBlock(const TrainUnit& unit, std::int64_t head, const kernels::ConstView<float, 4>& out,
                 const kernels::ConstView<float, 3>& lse, const kernels::ConstView<float, 4>& d_out)
      : HostBlock(unit),
        head_(head),
        out_(out),
        lse_(lse),
        d_out_(d_out),
        sums_(static_cast<std::size_t>(unit.tile() * unit.sizes.head_dim), 0.0F),
        largest_(static_cast<std::size_t>(unit.tile()), -INFINITY),
        total_(static_cast<std::size_t>(unit.tile()), 0.0F) {}

  void fetch_queries(std::int32_t block) {
    queries_ = unit_.query_rows(unit_.inputs.q, head_, block);
    block_ = block;
    if (d_out_.data != nullptr) gradients_ = unit_.query_rows(d_out_, head_, block);
  }
  void fetch_keys(std::int32_t tile, int stage) {
    keys_[static_cast<std::size_t>(stage)] = unit_.key_rows(unit_.inputs.k, tile);
    values_[static_cast<std::size_t>(stage)] = unit_.key_rows(unit_.inputs.v, tile);
  }
  void score(int stage) { rows_product(queries_, keys_[static_cast<std::size_t>(stage)], scores_); }
  void score_pairs(int stage) {
    score(stage);
    rows_product(gradients_, values_[static_cast<std::size_t>(stage)], dp_);
  }
  template <class F>
  void each_score(const F& f) {
    each_pair([&](std::int32_t row, std::int32_t column, float& score, float&) { f(row, column, score); });
  }
  [[nodiscard]] float lse_log2(std::int32_t row) const {
    const std::int64_t m = block_ * unit_.tile() + row;
    return m < unit_.sizes.length ? lse_(unit_.batch, head_, m) * kernels::cuda::log2_e : 0.0F;
  }
  [[nodiscard]] float delta(std::int32_t row) const {
    const std::int64_t m = block_ * unit_.tile() + row;
    double sum = 0;
    for (std::int64_t d = 0; m < unit_.sizes.length && d < unit_.sizes.head_dim; ++d) {
      sum += static_cast<double>(gradients_[static_cast<std::size_t>(row * unit_.sizes.head_dim + d)]) *
             static_cast<double>(out_(unit_.batch, head_, m, d));
    }
    return static_cast<float>(sum);
  }
  void soften(float scale_log2) {
    for (std::int64_t row = 0; row < unit_.tile(); ++row) {
      const auto r = static_cast<std::size_t>(row);
      float largest = largest_[r];
      for (std::int64_t column = 0; column < unit_.tile(); ++column)
        largest = std::fmax(largest, scores_[at(row, column)]);
      const float reference = largest == -INFINITY ? 0.0F : largest * scale_log2;
      const float shrink = std::exp2(largest_[r] * scale_log2 - reference);
      largest_[r] = largest;
      total_[r] *= shrink;
      for (std::int64_t column = 0; column < unit_.tile(); ++column) {
        float& weight = scores_[at(row, column)];
        weight = std::exp2(weight * scale_log2 - reference);
        total_[r] += weight;
      }
      for (std::int64_t d = 0; d < unit_.sizes.head_dim; ++d)
        sums_[static_cast<std::size_t>(row * unit_.sizes.head_dim + d)] *= shrink;
    }
  }
  void add_values(int stage) { columns_product(scores_, values_[static_cast<std::size_t>(stage)], sums_); }
  void add_query_gradient(int stage) { columns_product(dp_, keys_[static_cast<std::size_t>(stage)], sums_); }

  void write_output(std::int32_t block, float scale_log2) {
    for (std::int64_t row = 0; row < unit_.tile() && block * unit_.tile() + row < unit_.sizes.length; ++row) {
      const auto r = static_cast<std::size_t>(row);
      write_row(to_out, block * unit_.tile() + row, row, 1 / total_[r]);
      to_lse(unit_.batch, head_, block * unit_.tile() + row) =
          largest_[r] * (scale_log2 / kernels::cuda::log2_e) + std::log(total_[r]);
    }
  }
  void write_query_gradient(std::int32_t block) {
    const float scale = 1 / std::sqrt(static_cast<float>(unit_.sizes.head_dim));
    for (std::int64_t row = 0; row < unit_.tile() && block * unit_.tile() + row < unit_.sizes.length; ++row) {
      write_row(to_out, block * unit_.tile() + row, row, scale);
    }
  }

  kernels::View<float, 4> to_out;  ///< out, or dq
  kernels::View<float, 3> to_lse;

 private:
  void write_row(const kernels::View<float, 4>& to, std::int64_t m, std::int64_t row, float factor) const {
    for (std::int64_t d = 0; d < unit_.sizes.head_dim; ++d) {
      to(unit_.batch, head_, m, d) = sums_[static_cast<std::size_t>(row * unit_.sizes.head_dim + d)] * factor;
    }
  }

  std::int64_t head_;
  kernels::ConstView<float, 4> out_;
  kernels::ConstView<float, 3> lse_;
  kernels::ConstView<float, 4> d_out_;
  std::int32_t block_ = 0;
  Numbers queries_, gradients_, sums_, largest_, total_;

 protected:
  std::array<Numbers, 2> keys_, values_;
};

inline float scale_log2_of(std::int64_t head_dim) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(head_dim))) * kernels::cuda::log2_e;
}

}  // namespace natscope::test
