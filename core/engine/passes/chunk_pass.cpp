// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/chunk_pass.h"

#include <algorithm>

#include "core/base/cancel.h"
#include "core/cache/kernel_status.h"
#include "core/engine/passes/self_scores.h"
#include "core/row_math/row_math.h"
#include "kernels/attention_decode.h"
#include "kernels/attention_prefill.h"
#include "kernels/shared_work.h"

namespace natscope {

namespace {

using kernels::Backend;
using kernels::ConstView;
using kernels::ElementType;
using kernels::View;

constexpr std::int64_t working_bytes = 96LL << 20U;

std::size_t count(std::int64_t number) { return static_cast<std::size_t>(number); }

/// One token of [heads, chunk, head_dim].
template <class T>
View<T, 2> token_of(View<T, 3> rows, std::int64_t index) {
  return {&rows(0, index, 0), {rows.size(0), rows.size(2)}, {rows.stride(0), rows.stride(2)}};
}

}  // namespace

ChunkPass::ChunkPass(const ModelConfig& config, const PreparedWeights& weights, ElementType dtype)
    : config_(config), weights_(weights), dtype_(dtype), rotation_(config) {}

std::int64_t ChunkPass::most_tokens() const {
  // Rows in f32, and the widest of them once more in the type of the products (three bf16 parts at most).
  const std::int64_t widest = std::max<std::int64_t>({config_.hidden, config_.q_rows(), config_.intermediate});
  const std::int64_t numbers =
      2 * config_.hidden + 2 * config_.q_rows() + 2 * config_.kv_rows() + 2 * config_.intermediate + 2 * widest;
  return std::max<std::int64_t>(16, working_bytes / (numbers * 4));
}

View<float, 3> ChunkPass::heads_of(std::vector<float>& rows, std::int64_t heads) const {
  const std::int64_t head_dim = config_.head_dim;
  return {rows.data(), {heads, chunk_, head_dim}, {head_dim, heads * head_dim, 1}};
}

View<float, 2> ChunkPass::rows_of(std::vector<float>& rows, std::int64_t cols) const {
  return View<float, 2>::packed(rows.data(), {rows_, cols});
}

Expected<void> ChunkPass::run(std::span<const std::int32_t> tokens, TokenPos first, kernels::KvCache& cache,
                              PassObserver& observer, ChunkExtent extent, std::stop_token stop) {
  chunk_ = rows_ = static_cast<std::int64_t>(tokens.size());
  const auto size = [&](std::vector<float>& rows, std::int64_t cols) { rows.resize(count(chunk_ * cols)); };
  size(x_, config_.hidden);
  size(normed_, config_.hidden);
  size(queries_, config_.q_rows());
  size(attended_, config_.q_rows());
  size(keys_, config_.kv_rows());
  size(values_, config_.kv_rows());
  size(scores_, config_.score_rows());
  size(gate_, config_.intermediate);
  size(up_, config_.intermediate);
  size(lse_, config_.heads);
  roles_.resize(count(chunk_ * config_.kv_heads));

  for (std::int64_t row = 0; row < chunk_; ++row) {
    weights_.embed(tokens[count(row)], {x_.data() + row * config_.hidden, count(config_.hidden)});
  }
  rotation_.set(first, chunk_);
  for (std::int32_t layer = 0; layer < extent.layers; ++layer) {
    NATSCOPE_CHECK(check(stop));
    const PreparedLayer& weights = weights_.layers()[count(layer)];
    NATSCOPE_CHECK(project(layer, stop));
    NATSCOPE_CHECK(attend(LayerId(layer), first, cache, observer, stop));
    if (layer + 1 == extent.layers) {
      if (extent.hidden == ChunkExtent::Hidden::none) return {};
      if (extent.hidden == ChunkExtent::Hidden::last) keep_last_row();
    }
    NATSCOPE_CHECK(project_back(weights, stop));
    NATSCOPE_CHECK(feed_forward(weights, stop));
  }
  return {};
}

/// normed = RMSNorm(x), and the input of the next products.
void ChunkPass::normalise(const std::vector<float>& weight) {
  const std::int64_t hidden = config_.hidden;
  input_.set(rows_of(normed_, hidden), dtype_);
  kernels::share_rows(rows_, row_math::loop_ns(hidden), [&](std::int64_t row) {
    row_math::rms_norm(x_.data() + row * hidden, weight.data(), hidden, static_cast<float>(config_.stream_norm_eps()),
                       normed_.data() + row * hidden);
    input_.row_is_ready(row);
  });
}

Expected<void> ChunkPass::project(std::int32_t index, std::stop_token stop) {
  const PreparedLayer& layer = weights_.layers()[count(index)];
  normalise(layer.input_norm);
  NATSCOPE_CHECK(product_.run(input_, layer.q, layer.q_bias, rows_of(queries_, config_.q_rows()), stop));
  NATSCOPE_CHECK(product_.run(input_, layer.k, layer.k_bias, rows_of(keys_, config_.kv_rows()), stop));
  NATSCOPE_CHECK(product_.run(input_, layer.v, layer.v_bias, rows_of(values_, config_.kv_rows()), stop));
  if (layer.score.present()) {
    // The largest of three decides, the first where they are equal.
    NATSCOPE_CHECK(product_.run_row_by_row(input_, layer.score, rows_of(scores_, config_.score_rows()), stop));
  }
  turn(index);
  return {};
}

/// Norms of queries and keys, rotation, and rounding to the type of the cache.
void ChunkPass::turn(std::int32_t index) {
  const PreparedLayer& layer = weights_.layers()[count(index)];
  const auto turn_row = [&](float* heads, std::int64_t size, const std::vector<float>& norm, std::int64_t row) {
    const std::int64_t head_dim = config_.head_dim;
    for (float* head = heads; head < heads + size; head += head_dim) {
      if (!norm.empty())
        row_math::rms_norm(head, norm.data(), head_dim, static_cast<float>(config_.rms_norm_eps), head);
      row_math::rotate(head, rotation_.cosine(row), rotation_.sine(row), config_.rotated_dim(index));
    }
    if (dtype_ == ElementType::bf16) row_math::round_to_bf16(heads, size);
  };
  kernels::share_rows(chunk_, row_math::loop_ns(config_.q_rows() + 2 * config_.kv_rows()), [&](std::int64_t row) {
    turn_row(queries_.data() + row * config_.q_rows(), config_.q_rows(), layer.q_norm, row);
    turn_row(keys_.data() + row * config_.kv_rows(), config_.kv_rows(), layer.k_norm, row);
    if (dtype_ == ElementType::bf16)
      row_math::round_to_bf16(values_.data() + row * config_.kv_rows(), config_.kv_rows());
  });
}

Expected<void> ChunkPass::attend(LayerId layer, TokenPos first, kernels::KvCache& cache, PassObserver& observer,
                                 std::stop_token stop) {
  const bool has_scores = weights_.layers()[count(layer.value)].score.present();
  const auto scores = View<float, 2>::packed(has_scores ? scores_.data() : nullptr, {chunk_, config_.score_rows()});
  NATSCOPE_CHECK(
      observer.decide(layer, first, scores, View<Role, 2>::packed(roles_.data(), {config_.kv_heads, chunk_})));
  const PassDrops drops = observer.drops(first, chunk_);
  NATSCOPE_CHECK(drops == PassDrops::none ? attend_at_once(layer, first, cache, stop)
                                          : attend_one_by_one(layer, first, cache, observer, drops, stop));
  return observer.attended(layer, first, heads_of(queries_, config_.heads), heads_of(keys_, config_.kv_heads),
                           View<float, 2>::packed(lse_.data(), {config_.heads, chunk_}));
}

Expected<void> ChunkPass::attend_at_once(LayerId layer, TokenPos first, kernels::KvCache& cache,
                                         const std::stop_token& stop) {
  const View<float, 3> keys = heads_of(keys_, config_.kv_heads);
  const View<float, 3> values = heads_of(values_, config_.kv_heads);
  const auto roles = View<Role, 2>::packed(roles_.data(), {config_.kv_heads, chunk_});
  NATSCOPE_CHECK(
      from_status(kernels::attention_prefill(Backend::cpu, heads_of(queries_, config_.heads), keys, values, roles,
                                             cache, layer, first, heads_of(attended_, config_.heads),
                                             View<float, 2>::packed(lse_.data(), {config_.heads, chunk_}), stop),
                  "attention of a chunk"));
  NATSCOPE_CHECK(check(stop));
  std::vector<kernels::Status> statuses(count(config_.kv_heads));
  kernels::share_rows(config_.kv_heads, row_math::loop_ns(2 * chunk_ * config_.head_dim), [&](std::int64_t head) {
    const auto part = [&](const View<float, 3>& rows) {
      return View<float, 2>{&rows(head, 0, 0), {chunk_, rows.size(2)}, {rows.stride(1), 1}};
    };
    statuses[count(head)] = cache.append(layer, KvHeadId(static_cast<std::int32_t>(head)), first,
                                         {&roles(head, 0), count(chunk_)}, part(keys), part(values));
  });
  for (const kernels::Status status : statuses) NATSCOPE_CHECK(from_status(status, "cache"));
  return {};
}

/// H2O, TOVA: what a token leaves behind depends on the attention of every token before it. SnapKV and its like: what
/// the last tokens of a prompt look at is added up.
Expected<void> ChunkPass::attend_one_by_one(LayerId layer, TokenPos first, kernels::KvCache& cache,
                                            PassObserver& observer, PassDrops drops, std::stop_token stop) {
  const View<float, 3> queries = heads_of(queries_, config_.heads);
  const View<float, 3> keys = heads_of(keys_, config_.kv_heads);
  const View<float, 3> values = heads_of(values_, config_.kv_heads);
  const View<float, 3> attended = heads_of(attended_, config_.heads);
  token_lse_.resize(count(config_.heads));
  token_scores_.resize(count(config_.kv_heads));
  token_roles_.resize(count(config_.kv_heads));
  for (std::int64_t row = 0; row < chunk_; ++row) {
    NATSCOPE_CHECK(check(stop));
    const TokenPos position(first.value + static_cast<std::int32_t>(row));
    const View<float, 2> key = token_of(keys, row);
    const View<float, 2> value = token_of(values, row);
    NATSCOPE_CHECK(from_status(kernels::attention_decode(Backend::cpu, token_of(queries, row), key, value, cache, layer,
                                                         token_of(attended, row), token_lse_, token_scores_),
                               "attention of one token"));
    for (std::int64_t head = 0; head < config_.heads; ++head)
      lse_[count(head * chunk_ + row)] = token_lse_[count(head)];
    for (std::int32_t head = 0; head < config_.kv_heads; ++head) {
      const auto one = [](const View<float, 2>& heads, std::int64_t at) {
        return View<float, 2>::packed(&heads(at, 0), {1, heads.size(1)});
      };
      token_roles_[count(head)] = roles_[count(head * chunk_ + row)];
      NATSCOPE_CHECK(from_status(cache.append(layer, KvHeadId(head), position, {&token_roles_[count(head)], 1},
                                              one(key, head), one(value, head)),
                                 "cache"));
    }
    NATSCOPE_CHECK(set_self_scores(cache, layer, position, token_roles_, token_scores_));
    if (drops == PassDrops::after_each || (drops == PassDrops::after_last && row + 1 == chunk_))
      NATSCOPE_CHECK(observer.evict(cache, layer, position));
  }
  return {};
}

/// The last layer's products over all rows would be thrown away but for one.
void ChunkPass::keep_last_row() {
  const auto keep = [&](std::vector<float>& rows, std::int64_t cols) {
    std::copy_n(rows.data() + (chunk_ - 1) * cols, chunk_ > 1 ? cols : 0, rows.data());
  };
  keep(x_, config_.hidden);
  keep(attended_, config_.q_rows());
  rows_ = 1;
}

Expected<void> ChunkPass::project_back(const PreparedLayer& layer, std::stop_token stop) {
  input_.set(rows_of(attended_, config_.q_rows()), dtype_);
  input_.all_are_ready();
  return product_.run(input_, layer.o, layer.o_bias, rows_of(x_, config_.hidden), stop, MatrixProduct::Into::added);
}

Expected<void> ChunkPass::feed_forward(const PreparedLayer& layer, std::stop_token stop) {
  const std::int64_t width = config_.intermediate;
  normalise(layer.post_attention_norm);
  NATSCOPE_CHECK(product_.run(input_, layer.gate, layer.gate_bias, rows_of(gate_, width), stop));
  NATSCOPE_CHECK(product_.run(input_, layer.up, layer.up_bias, rows_of(up_, width), stop));
  input_.set(rows_of(gate_, width), dtype_);
  kernels::share_rows(rows_, 4 * row_math::loop_ns(width), [&](std::int64_t row) {
    float* const gate = gate_.data() + row * width;
    row_math::swiglu(gate, up_.data() + row * width, width, gate);
    input_.row_is_ready(row);
  });
  return product_.run(input_, layer.down, layer.down_bias, rows_of(x_, config_.hidden), stop,
                      MatrixProduct::Into::added);
}

Expected<void> ChunkPass::logits(std::int64_t index, std::int64_t n, std::span<float> out, std::stop_token stop) {
  const std::int64_t hidden = config_.hidden;
  const auto norm = weights_.norm();
  input_.set(ConstView<float, 2>::packed(normed_.data(), {n, hidden}), dtype_);
  kernels::share_rows(n, row_math::loop_ns(hidden), [&](std::int64_t row) {
    row_math::rms_norm(x_.data() + (index + row) * hidden, norm.data(), hidden,
                       static_cast<float>(config_.stream_norm_eps()), normed_.data() + row * hidden);
    input_.row_is_ready(row);
  });
  return product_.run(input_, weights_.lm_head(), {},
                      View<float, 2>::packed(out.data(), {n, std::int64_t{config_.vocab}}), stop);
}

}  // namespace natscope
