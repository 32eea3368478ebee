// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/kernels/train_loops_on_host.h"

#include <array>
#include <cmath>
#include <vector>

#include "tests/kernels/train_blocks_on_host.h"

namespace natscope::test {

namespace {

using kernels::AttentionTrainInputs;
using kernels::ConstView;
using kernels::Status;
using kernels::View;
namespace cuda = kernels::cuda;

class HostKeyBlock : public HostBlock {
 public:
  HostKeyBlock(const TrainUnit& unit, const ConstView<float, 4>& out, const ConstView<float, 3>& lse,
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
  void score_pairs(int stage) {
    rows_product(keys_, of(stage).queries, scores_);
    rows_product(values_, of(stage).d_out, dp_);
  }
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
  void add_gradients(int stage) {
    columns_product(scores_, of(stage).d_out, dv_);
    columns_product(dp_, of(stage).queries, dk_);
  }

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
    for (std::int64_t kv_head = 0; kv_head < inputs.k.size(1); ++kv_head) f(TrainUnit(inputs, batch, kv_head));
  }
}

template <class F>
void each_query_block(const TrainUnit& unit, const F& f) {
  for (std::int64_t head = unit.kv_head * unit.sizes.group(); head < (unit.kv_head + 1) * unit.sizes.group(); ++head) {
    for (std::int32_t block = 0; block < unit.plan.blocks(); ++block) f(head, block);
  }
}

}  // namespace

Status train_loops_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse) {
  each_unit(inputs, [&](const TrainUnit& unit) {
    each_query_block(unit, [&](std::int64_t head, std::int32_t query_block) {
      HostQueryBlock block(unit, head, {}, {}, {});
      block.to_out = out;
      block.to_lse = lse;
      cuda::train_forward_block(block, unit.plan, query_block, scale_log2_of(inputs.q.size(3)));
    });
  });
  return {};
}

Status train_loops_backward(const AttentionTrainInputs& inputs, ConstView<float, 4> out, ConstView<float, 3> lse,
                            ConstView<float, 4> d_out, double lambda, View<float, 4> dq, View<float, 4> dk,
                            View<float, 4> dv, View<float, 4> d_roles) {
  each_unit(inputs, [&](const TrainUnit& unit) {
    std::array<Numbers, 4> sums;
    for (Numbers& numbers : sums) numbers = nothing(unit.sizes.places);
    for (std::int32_t tile = 0; tile < unit.sizes.places / unit.tile(); ++tile) {
      HostKeyBlock block(unit, out, lse, d_out);
      block.to_dk = dk;
      block.to_dv = dv;
      block.to_sums = &sums;
      cuda::train_key_gradient_block(block, unit.plan, tile, static_cast<int>(unit.sizes.group()),
                                     d_roles.data != nullptr, scale_log2_of(inputs.q.size(3)));
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
      cuda::train_query_gradient_block(block, unit.plan, query_block, scale_log2_of(inputs.q.size(3)));
    });
  });
  return {};
}

}  // namespace natscope::test
