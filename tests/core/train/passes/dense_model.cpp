// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/train/passes/dense_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <cmath>

#include "core/train/random/counter_random.h"

namespace natscope::test {

namespace {

std::string layer_prefix(int index) { return "model.layers." + std::to_string(index) + "."; }

/// The smallest j > n with role G; T where there is none.
std::int64_t next_global(const at::TensorAccessor<std::int64_t, 1>& roles, std::int64_t n) {
  for (std::int64_t j = n + 1; j < roles.size(0); ++j) {
    if (roles[j] == 0) return j;
  }
  return roles.size(0);
}

}  // namespace

DenseModel::DenseModel(const ModelConfig& config, const train::ParameterLayout& layout,
                       const std::vector<float>& weights)
    : c_(config), layers_(static_cast<std::size_t>(config.layers)) {
  for (const train::Parameter& p : layout.parameters) {
    at::Tensor tensor = at::empty(p.shape, at::kFloat);
    std::copy_n(weights.data() + p.offset, p.elements, tensor.data_ptr<float>());
    weights_[p.name] = tensor.to(at::kDouble).requires_grad_(p.kind != train::ParameterKind::score);
  }
}

DenseModel::DenseModel(const ModelConfig& config, std::map<std::string, at::Tensor> weights)
    : c_(config), weights_(std::move(weights)), layers_(static_cast<std::size_t>(config.layers)) {}

at::Tensor DenseModel::normalise(const at::Tensor& x, const std::string& name) const {
  return x * at::rsqrt(x.pow(2).mean(-1, true) + c_.rms_norm_eps) * weights_.at(name);
}

at::Tensor DenseModel::linear(const at::Tensor& x, const std::string& name) const {
  return at::matmul(x, weights_.at(name).t());
}

at::Tensor DenseModel::rotate(const at::Tensor& x) const {
  const std::int64_t length = x.size(2);
  const std::int64_t half = c_.head_dim / 2;
  const at::Tensor frequency =
      at::pow(c_.rope.theta, at::arange(half, at::kDouble) * (-1.0 / static_cast<double>(half)));
  const at::Tensor angle = at::outer(at::arange(length, at::kDouble), frequency);
  const at::Tensor low = x.narrow(-1, 0, half);
  const at::Tensor high = x.narrow(-1, half, half);
  return at::cat({low * angle.cos() - high * angle.sin(), high * angle.cos() + low * angle.sin()}, -1);
}

void DenseModel::choose_roles(const DenseBatch& batch, int index, Layer& layer) const {
  const std::int64_t segments = batch.tokens.size(0);
  const std::int64_t length = batch.tokens.size(1);
  const std::int64_t heads = c_.kv_heads;
  layer.roles = at::zeros({segments, heads, length}, at::kLong);
  if (c_.nats) {
    const std::string name = layer_prefix(index) + "self_attn.proj_layer.weight";
    at::Tensor noisy = at::matmul(layer.normal, weights_.at(name).t()).view({segments, length, heads, 3}).clone();
    const train::CounterRandom noise(batch.seed, train::random_purpose::role_noise,
                                     static_cast<std::uint64_t>(batch.step), static_cast<std::uint64_t>(index));
    auto value = noisy.accessor<double, 4>();
    std::uint64_t counter = 0;
    for (std::int64_t b = 0; b < segments; ++b) {
      for (std::int64_t n = 0; n < length; ++n) {
        for (std::int64_t k = 0; k < heads; ++k) {
          for (int option = 0; option < 3; ++option) {
            value[b][n][k][option] -= std::log(-std::log(static_cast<double>(noise.uniform(counter++))));
          }
        }
      }
    }
    layer.probabilities = at::softmax(noisy, -1);
    layer.roles = noisy.argmax(-1).permute({0, 2, 1}).contiguous();
    layer.roles.select(2, 0).zero_();
    layer.roles.select(2, length - 1).zero_();
  }
  layer.visible = at::zeros({segments, heads, length, length}, at::kBool);
  auto seen = layer.visible.accessor<bool, 4>();
  const auto roles = layer.roles.accessor<std::int64_t, 3>();
  for (std::int64_t b = 0; b < segments; ++b) {
    for (std::int64_t k = 0; k < heads; ++k) {
      for (std::int64_t n = 0; n < length; ++n) {
        const std::int64_t next = next_global(roles[b][k], n);
        for (std::int64_t m = n; m < length; ++m) {
          const std::int64_t role = roles[b][k][n];
          if (batch.fixed_mask) {
            seen[b][k][m][n] = batch.fixed_mask(m, n);
            continue;
          }
          seen[b][k][m][n] = m == n || role == 0 || (role == 1 && m <= next) || (role == 2 && m <= n + c_.nats->window);
        }
      }
    }
  }
}

at::Tensor DenseModel::attention(const DenseBatch& batch, int index, const at::Tensor& x) {
  Layer& layer = layers_[static_cast<std::size_t>(index)];
  const std::string prefix = layer_prefix(index) + "self_attn.";
  const std::int64_t segments = x.size(0);
  const std::int64_t length = x.size(1);
  layer.normal = x.detach();
  const auto heads_of = [&](const char* name, std::int64_t heads) {
    return linear(x, prefix + name).view({segments, length, heads, c_.head_dim}).permute({0, 2, 1, 3});
  };
  layer.q = rotate(heads_of("q_proj.weight", c_.heads));
  layer.k = rotate(heads_of("k_proj.weight", c_.kv_heads));
  layer.v = heads_of("v_proj.weight", c_.kv_heads);
  choose_roles(batch, index, layer);
  const std::int64_t group = c_.group();
  const at::Tensor scores = at::matmul(layer.q, layer.k.repeat_interleave(group, 1).transpose(-1, -2)) /
                            std::sqrt(static_cast<double>(c_.head_dim));
  const at::Tensor masked = scores.masked_fill(layer.visible.repeat_interleave(group, 1).logical_not(),
                                               -std::numeric_limits<double>::infinity());
  layer.out = at::matmul(at::softmax(masked, -1), layer.v.repeat_interleave(group, 1));
  if (layer.out.requires_grad()) layer.out.retain_grad();  // a teacher has none
  return linear(layer.out.permute({0, 2, 1, 3}).reshape({segments, length, c_.q_rows()}), prefix + "o_proj.weight");
}

/// Sections 6 and 7 of the rules, as sums over a dense matrix: [B, K, T, 3].
at::Tensor DenseModel::role_gradient(const Layer& layer, double applied_sparsity) const {
  const at::Tensor q = layer.q.detach();
  const std::int64_t group = c_.group();
  const at::Tensor k = layer.k.detach().repeat_interleave(group, 1);
  const at::Tensor v = layer.v.detach().repeat_interleave(group, 1);
  const at::Tensor d_out = layer.out.grad();
  const at::Tensor e = at::exp(at::matmul(q, k.transpose(-1, -2)) / std::sqrt(static_cast<double>(c_.head_dim)));
  const at::Tensor sums = (e * layer.visible.repeat_interleave(group, 1).to(at::kDouble)).sum(-1, true);
  const at::Tensor delta = (d_out * layer.out.detach()).sum(-1, true);
  const at::Tensor d_mask = at::clamp_max(e / sums, 1.0) * (at::matmul(d_out, v.transpose(-1, -2)) - delta);
  const std::int64_t segments = q.size(0);
  const std::int64_t length = q.size(2);
  const at::Tensor by_kv_head =
      d_mask.view({segments, c_.kv_heads, group, length, length}).sum(2).contiguous();  // g heads add up

  at::Tensor result = at::zeros({segments, c_.kv_heads, length, 3}, at::kDouble);
  auto d_role = result.accessor<double, 4>();
  const auto d = by_kv_head.accessor<double, 4>();
  const auto all_roles = layer.roles.accessor<std::int64_t, 3>();
  const auto window = static_cast<std::int64_t>(c_.nats->window);
  for (std::int64_t b = 0; b < segments; ++b) {
    for (std::int64_t head = 0; head < c_.kv_heads; ++head) {
      const auto roles = all_roles[b][head];
      for (std::int64_t n = 0; n < length; ++n) {
        const std::int64_t next = std::min(next_global(roles, n), length - 1);
        for (std::int64_t m = n; m < length; ++m) {
          d_role[b][head][n][0] += d[b][head][m][n];
          if (m <= next) d_role[b][head][n][1] += d[b][head][m][n];
          if (m <= n + window) d_role[b][head][n][2] += d[b][head][m][n];
        }
        if (roles[n] == 0) {
          for (std::int64_t earlier = 0; earlier < n; ++earlier) {
            if (roles[earlier] != 1 || next_global(roles, earlier) != n) continue;
            for (std::int64_t m = n + 1; m <= next; ++m) d_role[b][head][n][0] -= d[b][head][m][earlier];
          }
        }
        d_role[b][head][n][0] += applied_sparsity * static_cast<double>(length - n) / static_cast<double>(length);
        d_role[b][head][n][1] += applied_sparsity * static_cast<double>(next - n) / static_cast<double>(length);
      }
    }
  }
  return result;
}

at::Tensor DenseModel::hidden(const DenseBatch& batch) {
  at::Tensor x = at::embedding(weights_.at("model.embed_tokens.weight"), batch.tokens);
  for (int i = 0; i < c_.layers; ++i) {
    const std::string prefix = layer_prefix(i);
    x = x + attention(batch, i, normalise(x, prefix + "input_layernorm.weight"));
    const at::Tensor normal = normalise(x, prefix + "post_attention_layernorm.weight");
    const at::Tensor gate = linear(normal, prefix + "mlp.gate_proj.weight");
    x = x + linear(at::silu(gate) * linear(normal, prefix + "mlp.up_proj.weight"), prefix + "mlp.down_proj.weight");
  }
  return normalise(x, "model.norm.weight");
}

double DenseModel::forward_backward(const DenseBatch& batch) {
  const at::Tensor logits = linear(hidden(batch), "model.embed_tokens.weight");
  const at::Tensor predicted = batch.targets.flatten() >= 0;
  const at::Tensor logged = at::log_softmax(logits.flatten(0, 1), -1).index({predicted});
  const at::Tensor wanted = batch.targets.flatten().index({predicted});
  const at::Tensor nll = -logged.gather(1, wanted.unsqueeze(1)).sum();
  (nll * batch.loss_scale).backward();
  collect_gradients(batch);
  return nll.item<double>();
}

double DenseModel::distil(const DenseBatch& batch, const at::Tensor& wanted, const at::Tensor& counted) {
  const at::Tensor squares = counted * (hidden(batch) - wanted).square();
  const at::Tensor distance = squares.sum() / (counted.sum() * c_.hidden);
  (distance * batch.loss_scale).backward();
  collect_gradients(batch);
  return distance.item<double>();
}

void DenseModel::collect_gradients(const DenseBatch& batch) {
  gradients_.clear();
  for (const auto& [name, weight] : weights_) {
    if (weight.is_leaf() && weight.requires_grad()) gradients_[name] = weight.grad();
  }
  for (int i = 0; c_.nats && i < c_.layers; ++i) {
    const Layer& layer = layers_[static_cast<std::size_t>(i)];
    const at::Tensor d_roles = role_gradient(layer, batch.applied_sparsity).permute({0, 2, 1, 3});  // [B, T, K, 3]
    const at::Tensor& y = layer.probabilities;
    at::Tensor d_scores = y * (d_roles - (y * d_roles).sum(-1, true));
    d_scores.select(1, 0).zero_();
    d_scores.select(1, d_scores.size(1) - 1).zero_();
    gradients_[layer_prefix(i) + "self_attn.proj_layer.weight"] =
        at::matmul(d_scores.flatten(2).flatten(0, 1).t(), layer.normal.flatten(0, 1));
  }
}

}  // namespace natscope::test
