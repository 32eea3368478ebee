// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/kernels/train_loops_on_host.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/cuda/train_loops.h"
#include "kernels/cuda/train_scratch.h"

namespace natscope::tests {

namespace {

using kernels::AttentionTrainInputs;
using kernels::ConstView;
using kernels::ElementType;
using kernels::Status;
using kernels::View;
namespace cuda = kernels::cuda;

struct HostTeam {
  template <class F>
  void each(std::int32_t count, const F& f) const {
    for (std::int32_t index = 0; index < count; ++index) f(index);
  }
};

float operand(float number, ElementType dtype) {
  return dtype == ElementType::bf16 ? kernels::to_float(kernels::to_bf16(number)) : number;
}

/// One tile of rows, or a square of scores. Starts as NaN: what was not fetched shows.
using Numbers = std::vector<float>;
Numbers nothing(std::int64_t count) {
  return Numbers(static_cast<std::size_t>(count), std::numeric_limits<float>::quiet_NaN());
}

/// Arrays of one (batch item, KV head), and its plan in memory of its own.
struct Unit {
  Unit(const AttentionTrainInputs& in, std::int64_t batch_item, std::int64_t head)
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
    cuda::build_train_plan(HostTeam(), plan, &in.roles(batch, kv_head, 0), in.roles.stride(2), window,
                           static_cast<std::int32_t>(sizes.places), masks, counts.data());
  }

  [[nodiscard]] std::int64_t tile() const { return sizes.tile; }

  /// Places of a tile as rows, zeros where there is no key.
  [[nodiscard]] Numbers key_rows(const ConstView<float, 4>& from, std::int32_t tile_index) const {
    Numbers rows(static_cast<std::size_t>(tile() * sizes.head_dim), 0.0F);
    for (std::int64_t row = 0; row < tile(); ++row) {
      const std::int32_t n = plan.position[tile_index * tile() + row];
      if (n == cuda::no_position) continue;
      for (std::int64_t d = 0; d < sizes.head_dim; ++d) {
        rows[static_cast<std::size_t>(row * sizes.head_dim + d)] = operand(from(batch, kv_head, n, d), inputs.dtype);
      }
    }
    return rows;
  }
  [[nodiscard]] Numbers query_rows(const ConstView<float, 4>& from, std::int64_t head, std::int32_t block) const {
    Numbers rows(static_cast<std::size_t>(tile() * sizes.head_dim), 0.0F);
    for (std::int64_t row = 0; row < tile() && block * tile() + row < sizes.length; ++row) {
      for (std::int64_t d = 0; d < sizes.head_dim; ++d) {
        rows[static_cast<std::size_t>(row * sizes.head_dim + d)] =
            operand(from(batch, head, block * tile() + row, d), inputs.dtype);
      }
    }
    return rows;
  }

  const AttentionTrainInputs& inputs;
  cuda::TrainSizes sizes;
  std::int64_t batch, kv_head;
  cuda::RoleMasks masks;
  std::array<std::int32_t, role_count> counts{};
  std::array<cuda::PlaceRange, role_count> runs{};
  std::vector<std::int32_t> next_global;
  std::array<std::vector<std::int32_t>, 5> by_place;
  std::vector<cuda::PlaceRange> ranges;
  cuda::TrainPlan plan;
};

/// What both kinds of block share: two stages, and the products of tile_math.cuh.
class HostBlock {
 public:
  explicit HostBlock(const Unit& unit) : unit_(unit), scores_(nothing(unit.tile() * unit.tile())), dp_(scores_) {}

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
    for (std::int64_t row = 0; row < unit_.tile(); ++row) {
      for (std::int64_t column = 0; column < unit_.tile(); ++column) {
        float sum = 0;
        for (std::int64_t d = 0; d < dim; ++d) {
          sum += left[static_cast<std::size_t>(row * dim + d)] * right[static_cast<std::size_t>(column * dim + d)];
        }
        product[at(row, column)] = sum;
      }
    }
  }
  void columns_product(const Numbers& weights, const Numbers& right, Numbers& sums) const {
    const std::int64_t dim = unit_.sizes.head_dim;
    for (std::int64_t row = 0; row < unit_.tile(); ++row) {
      for (std::int64_t column = 0; column < unit_.tile(); ++column) {
        const float weight = operand(weights[at(row, column)], unit_.inputs.dtype);
        for (std::int64_t d = 0; d < dim; ++d) {
          sums[static_cast<std::size_t>(row * dim + d)] += weight * right[static_cast<std::size_t>(column * dim + d)];
        }
      }
    }
  }

  const Unit& unit_;
  Numbers scores_;
  Numbers dp_;
};

class HostQueryBlock : public HostBlock {
 public:
  HostQueryBlock(const Unit& unit, std::int64_t head, const ConstView<float, 4>& out, const ConstView<float, 3>& lse,
                 const ConstView<float, 4>& d_out)
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
  void score_gradient(int stage) { rows_product(gradients_, values_[static_cast<std::size_t>(stage)], dp_); }
  template <class F>
  void each_score(const F& f) {
    each_pair([&](std::int32_t row, std::int32_t column, float& score, float&) { f(row, column, score); });
  }
  [[nodiscard]] float lse_log2(std::int32_t row) const {
    const std::int64_t m = block_ * unit_.tile() + row;
    return m < unit_.sizes.length ? lse_(unit_.batch, head_, m) * cuda::log2_e : 0.0F;
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
          largest_[r] * (scale_log2 / cuda::log2_e) + std::log(total_[r]);
    }
  }
  void write_query_gradient(std::int32_t block) {
    const float scale = 1 / std::sqrt(static_cast<float>(unit_.sizes.head_dim));
    for (std::int64_t row = 0; row < unit_.tile() && block * unit_.tile() + row < unit_.sizes.length; ++row) {
      write_row(to_out, block * unit_.tile() + row, row, scale);
    }
  }

  View<float, 4> to_out;  ///< out, or dq
  View<float, 3> to_lse;

 private:
  void write_row(const View<float, 4>& to, std::int64_t m, std::int64_t row, float factor) const {
    for (std::int64_t d = 0; d < unit_.sizes.head_dim; ++d) {
      to(unit_.batch, head_, m, d) = sums_[static_cast<std::size_t>(row * unit_.sizes.head_dim + d)] * factor;
    }
  }

  std::int64_t head_;
  ConstView<float, 4> out_;
  ConstView<float, 3> lse_;
  ConstView<float, 4> d_out_;
  std::int32_t block_ = 0;
  Numbers queries_, gradients_, sums_, largest_, total_;
  std::array<Numbers, 2> keys_, values_;
};

class HostKeyBlock : public HostBlock {
 public:
  HostKeyBlock(const Unit& unit, const ConstView<float, 4>& out, const ConstView<float, 3>& lse,
               const ConstView<float, 4>& d_out)
      : HostBlock(unit),
        out_(out),
        lse_(lse),
        d_out_(d_out),
        dk_(static_cast<std::size_t>(unit.tile() * unit.sizes.head_dim), 0.0F),
        dv_(dk_),
        role_sums_(static_cast<std::size_t>(unit.tile())) {}

  void fetch_tile(std::int32_t tile) {
    keys_ = unit_.key_rows(unit_.inputs.k, tile);
    values_ = unit_.key_rows(unit_.inputs.v, tile);
  }
  void fetch_rows(std::int32_t head_in_group, std::int32_t block, int stage) {
    const std::int64_t head = unit_.kv_head * unit_.sizes.group() + head_in_group;
    Staged& staged = staged_[static_cast<std::size_t>(stage)];
    staged.queries = unit_.query_rows(unit_.inputs.q, head, block);
    staged.d_out = unit_.query_rows(d_out_, head, block);
    staged.lse_log2.assign(static_cast<std::size_t>(unit_.tile()), 0.0F);
    staged.delta = staged.lse_log2;
    for (std::int64_t row = 0; row < unit_.tile() && block * unit_.tile() + row < unit_.sizes.length; ++row) {
      const std::int64_t m = block * unit_.tile() + row;
      double delta = 0;
      for (std::int64_t d = 0; d < unit_.sizes.head_dim; ++d) {
        delta += static_cast<double>(staged.d_out[static_cast<std::size_t>(row * unit_.sizes.head_dim + d)]) *
                 static_cast<double>(out_(unit_.batch, head, m, d));
      }
      staged.delta[static_cast<std::size_t>(row)] = static_cast<float>(delta);
      staged.lse_log2[static_cast<std::size_t>(row)] = lse_(unit_.batch, head, m) * cuda::log2_e;
    }
  }
  void score(int stage) { rows_product(keys_, of(stage).queries, scores_); }
  void score_gradient(int stage) { rows_product(values_, of(stage).d_out, dp_); }
  [[nodiscard]] float lse_log2(std::int32_t column, int stage) const {
    return of(stage).lse_log2[static_cast<std::size_t>(column)];
  }
  [[nodiscard]] float delta(std::int32_t column, int stage) const {
    return of(stage).delta[static_cast<std::size_t>(column)];
  }
  template <class F>
  void each_row(const F& f) {
    for (std::int32_t row = 0; row < unit_.tile(); ++row) {
      f(row, role_sums_[static_cast<std::size_t>(row)], [&](const auto& of_column) {
        for (std::int32_t column = 0; column < unit_.tile(); ++column) of_column(column, dp_[at(row, column)]);
      });
    }
  }
  void add_value_gradient(int stage) { columns_product(scores_, of(stage).d_out, dv_); }
  void add_key_gradient(int stage) { columns_product(dp_, of(stage).queries, dk_); }

  void write_key_gradients(std::int32_t tile, bool with_roles) {
    const float scale = 1 / std::sqrt(static_cast<float>(unit_.sizes.head_dim));
    for (std::int64_t row = 0; row < unit_.tile(); ++row) {
      const auto place = static_cast<std::size_t>(tile * unit_.tile() + row);
      const std::int32_t n = unit_.plan.position[place];
      if (n == cuda::no_position) continue;
      for (std::int64_t d = 0; d < unit_.sizes.head_dim; ++d) {
        const auto from = static_cast<std::size_t>(row * unit_.sizes.head_dim + d);
        to_dk(unit_.batch, unit_.kv_head, n, d) = dk_[from] * scale;
        to_dv(unit_.batch, unit_.kv_head, n, d) = dv_[from];
      }
      if (!with_roles) continue;
      const cuda::KeyRoleSums& sums = role_sums_[static_cast<std::size_t>(row)];
      (*to_sums)[0][place] = sums.total;
      (*to_sums)[1][place] = sums.to_next;
      (*to_sums)[2][place] = sums.to_window;
      (*to_sums)[3][place] = sums.to_second;
    }
  }

  View<float, 4> to_dk, to_dv;
  std::array<Numbers, 4>* to_sums = nullptr;

 private:
  struct Staged {
    Numbers queries, d_out, lse_log2, delta;
  };
  [[nodiscard]] const Staged& of(int stage) const { return staged_[static_cast<std::size_t>(stage)]; }

  ConstView<float, 4> out_;
  ConstView<float, 3> lse_;
  ConstView<float, 4> d_out_;
  Numbers keys_, values_, dk_, dv_;
  std::vector<cuda::KeyRoleSums> role_sums_;
  std::array<Staged, 2> staged_;
};

template <class F>
void each_unit(const AttentionTrainInputs& inputs, const F& f) {
  if (inputs.q.size(2) == 0) return;
  for (std::int64_t batch = 0; batch < inputs.k.size(0); ++batch) {
    for (std::int64_t kv_head = 0; kv_head < inputs.k.size(1); ++kv_head) f(Unit(inputs, batch, kv_head));
  }
}

template <class F>
void each_query_block(const Unit& unit, const F& f) {
  for (std::int64_t head = unit.kv_head * unit.sizes.group(); head < (unit.kv_head + 1) * unit.sizes.group(); ++head) {
    for (std::int32_t block = 0; block < unit.plan.blocks(); ++block) f(head, block);
  }
}

float scale_log2_of(const AttentionTrainInputs& inputs) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(inputs.q.size(3)))) * cuda::log2_e;
}

}  // namespace

Status train_loops_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse) {
  each_unit(inputs, [&](const Unit& unit) {
    each_query_block(unit, [&](std::int64_t head, std::int32_t query_block) {
      HostQueryBlock block(unit, head, {}, {}, {});
      block.to_out = out;
      block.to_lse = lse;
      cuda::train_forward_block(block, unit.plan, query_block, scale_log2_of(inputs));
    });
  });
  return {};
}

Status train_loops_backward(const AttentionTrainInputs& inputs, ConstView<float, 4> out, ConstView<float, 3> lse,
                            ConstView<float, 4> d_out, double lambda, View<float, 4> dq, View<float, 4> dk,
                            View<float, 4> dv, View<float, 4> d_roles) {
  each_unit(inputs, [&](const Unit& unit) {
    std::array<Numbers, 4> sums;
    for (Numbers& numbers : sums) numbers = nothing(unit.sizes.places);
    for (std::int32_t tile = 0; tile < unit.sizes.places / unit.tile(); ++tile) {
      HostKeyBlock block(unit, out, lse, d_out);
      block.to_dk = dk;
      block.to_dv = dv;
      block.to_sums = &sums;
      cuda::train_key_gradient_block(block, unit.plan, tile, static_cast<int>(unit.sizes.group()),
                                     d_roles.data != nullptr, scale_log2_of(inputs));
    }
    for (std::int32_t place = 0; d_roles.data != nullptr && place < unit.sizes.places; ++place) {
      if (unit.plan.position[place] == cuda::no_position) continue;
      std::array<float, role_count> gradient{};
      cuda::role_gradient(unit.plan, place, sums[0].data(), sums[1].data(), sums[2].data(), sums[3].data(), lambda,
                          gradient.data());
      for (int option = 0; option < role_count; ++option) {
        d_roles(unit.batch, unit.kv_head, unit.plan.position[place], option) =
            gradient[static_cast<std::size_t>(option)];
      }
    }
    each_query_block(unit, [&](std::int64_t head, std::int32_t query_block) {
      HostQueryBlock block(unit, head, out, lse, d_out);
      block.to_out = dq;
      cuda::train_query_gradient_block(block, unit.plan, query_block, scale_log2_of(inputs));
    });
  });
  return {};
}

}  // namespace natscope::tests
