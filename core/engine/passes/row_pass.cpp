// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/row_pass.h"

#include "core/base/cancel.h"
#include "core/cache/kernel_status.h"
#include "core/engine/passes/self_scores.h"
#include "core/row_math/row_math.h"
#include "kernels/attention_decode.h"
#include "kernels/linear.h"

namespace natscope {

namespace {

using kernels::Backend;
using kernels::ElementType;
using kernels::LinearRow;

LinearRow product(const Matrix& matrix, const std::vector<float>& bias, float* out) {
  return {matrix.data, matrix.dtype, matrix.rows, matrix.cols, bias.empty() ? nullptr : bias.data(), out};
}

std::size_t count(std::int64_t number) { return static_cast<std::size_t>(number); }

}  // namespace

RowPass::RowPass(const ModelConfig& config, const PreparedWeights& weights, ElementType dtype)
    : config_(config), weights_(weights), dtype_(dtype), rotation_(config) {
  x_.resize(count(config.hidden));
  normed_.resize(count(config.hidden));
  queries_.resize(count(config.q_rows()));
  attended_.resize(count(config.q_rows()));
  projected_.resize(count(config.hidden));
  gate_.resize(count(config.intermediate));
  up_.resize(count(config.intermediate));
  scores_.resize(count(config.score_rows()));
  lse_.resize(count(config.heads));
  self_scores_.resize(count(config.kv_heads));
  keys_.resize(count(config.layers * config.kv_rows()));
  values_.resize(keys_.size());
  roles_.resize(count(std::int64_t{config.layers} * config.kv_heads));
}

void RowPass::round(std::span<float> x) const {
  if (dtype_ == ElementType::bf16) row_math::round_to_bf16(x.data(), static_cast<std::int64_t>(x.size()));
}

Expected<void> RowPass::run(std::int32_t token, TokenPos position, kernels::KvCache& cache, PassObserver& observer,
                            std::stop_token stop) {
  weights_.embed(token, x_);
  rotation_.set(position, 1);
  for (std::int32_t layer = 0; layer < config_.layers; ++layer) {
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_CHECK(attend(layer, position, cache, observer));
    NATSCOPE_CHECK(feed_forward(weights_.layers()[count(layer)]));
  }
  if (observer.drops(position, 1) == PassDrops::none) {
    for (std::int32_t layer = 0; layer < config_.layers; ++layer) NATSCOPE_CHECK(append(cache, layer, position));
  }
  return {};
}

Expected<void> RowPass::attend(std::int32_t layer, TokenPos position, kernels::KvCache& cache, PassObserver& observer) {
  const PreparedLayer& weights = weights_.layers()[count(layer)];
  const std::int64_t head_dim = config_.head_dim;
  row_math::rms_norm(x_.data(), weights.input_norm.data(), config_.hidden,
                     static_cast<float>(config_.stream_norm_eps()), normed_.data());
  round(normed_);
  const LinearRow projections[] = {
      product(weights.q, weights.q_bias, queries_.data()), product(weights.k, weights.k_bias, keys(layer)),
      product(weights.v, weights.v_bias, values(layer)), product(weights.score, {}, scores_.data())};
  const bool has_scores = weights.score.present();
  NATSCOPE_CHECK(from_status(
      kernels::linear_row(Backend::cpu, normed_, std::span(projections).first(has_scores ? 4 : 3)), "one-row product"));

  const auto turn = [&](float* heads, std::int32_t number, const std::vector<float>& norm) {
    for (std::int32_t head = 0; head < number; ++head) {
      float* const row = heads + head * head_dim;
      if (!norm.empty()) row_math::rms_norm(row, norm.data(), head_dim, static_cast<float>(config_.rms_norm_eps), row);
      row_math::rotate(row, rotation_.cosine(0), rotation_.sine(0), config_.rotated_dim(layer));
    }
  };
  turn(queries_.data(), config_.heads, weights.q_norm);
  turn(keys(layer), config_.kv_heads, weights.k_norm);
  round(queries_);
  round({keys(layer), count(config_.kv_rows())});
  round({values(layer), count(config_.kv_rows())});

  using kernels::View;
  const auto scores = View<float, 2>::packed(has_scores ? scores_.data() : nullptr, {1, config_.score_rows()});
  NATSCOPE_CHECK(
      observer.decide(LayerId(layer), position, scores, View<Role, 2>::packed(roles(layer), {config_.kv_heads, 1})));
  const auto queries = View<float, 2>::packed(queries_.data(), {config_.heads, head_dim});
  const auto key = View<float, 2>::packed(keys(layer), {config_.kv_heads, head_dim});
  const auto value = View<float, 2>::packed(values(layer), {config_.kv_heads, head_dim});
  const PassDrops drops = observer.drops(position, 1);
  NATSCOPE_CHECK(
      from_status(kernels::attention_decode(Backend::cpu, queries, key, value, cache, LayerId(layer),
                                            View<float, 2>::packed(attended_.data(), {config_.heads, head_dim}), lse_,
                                            drops != PassDrops::none ? std::span(self_scores_) : std::span<float>()),
                  "attention of one token"));
  NATSCOPE_CHECK(observer.attended(LayerId(layer), position,
                                   View<float, 3>::packed(queries_.data(), {config_.heads, 1, head_dim}),
                                   View<float, 3>::packed(keys(layer), {config_.kv_heads, 1, head_dim}),
                                   View<float, 2>::packed(lse_.data(), {config_.heads, 1})));
  if (drops != PassDrops::none) {
    NATSCOPE_CHECK(append(cache, layer, position));
    NATSCOPE_CHECK(
        set_self_scores(cache, LayerId(layer), position, {roles(layer), count(config_.kv_heads)}, self_scores_));
    if (drops != PassDrops::later) NATSCOPE_CHECK(observer.evict(cache, LayerId(layer), position));
  }

  round(attended_);
  const LinearRow output = product(weights.o, weights.o_bias, projected_.data());
  NATSCOPE_CHECK(from_status(kernels::linear_row(Backend::cpu, attended_, {&output, 1}), "one-row product"));
  row_math::add(x_.data(), projected_.data(), config_.hidden);
  return {};
}

Expected<void> RowPass::feed_forward(const PreparedLayer& weights) {
  row_math::rms_norm(x_.data(), weights.post_attention_norm.data(), config_.hidden,
                     static_cast<float>(config_.stream_norm_eps()), normed_.data());
  round(normed_);
  const LinearRow wide[] = {product(weights.gate, weights.gate_bias, gate_.data()),
                            product(weights.up, weights.up_bias, up_.data())};
  NATSCOPE_CHECK(from_status(kernels::linear_row(Backend::cpu, normed_, wide), "one-row product"));
  row_math::swiglu(gate_.data(), up_.data(), config_.intermediate, gate_.data());
  round(gate_);
  const LinearRow narrow = product(weights.down, weights.down_bias, projected_.data());
  NATSCOPE_CHECK(from_status(kernels::linear_row(Backend::cpu, gate_, {&narrow, 1}), "one-row product"));
  row_math::add(x_.data(), projected_.data(), config_.hidden);
  return {};
}

Expected<void> RowPass::append(kernels::KvCache& cache, std::int32_t layer, TokenPos position) {
  const std::int64_t head_dim = config_.head_dim;
  for (std::int32_t head = 0; head < config_.kv_heads; ++head) {
    const auto key = kernels::View<float, 2>::packed(keys(layer) + head * head_dim, {1, head_dim});
    const auto value = kernels::View<float, 2>::packed(values(layer) + head * head_dim, {1, head_dim});
    NATSCOPE_CHECK(from_status(
        cache.append(LayerId(layer), KvHeadId(head), position, {roles(layer) + head, 1}, key, value), "cache"));
  }
  return {};
}

Expected<void> RowPass::logits(std::span<float> out) {
  row_math::rms_norm(x_.data(), weights_.norm().data(), config_.hidden, static_cast<float>(config_.stream_norm_eps()),
                     normed_.data());
  round(normed_);
  const LinearRow head = product(weights_.lm_head(), {}, out.data());
  return from_status(kernels::linear_row(Backend::cpu, normed_, {&head, 1}), "one-row product");
}

}  // namespace natscope
