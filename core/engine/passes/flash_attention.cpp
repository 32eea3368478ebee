// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/flash_attention.h"

#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/device/torch_on_device.h"

namespace natscope {

namespace {

struct Attended {
  at::Tensor out;  // [heads, n, head_dim]
  at::Tensor lse;  // [heads, n] f32
};

/// The formula: query i of n sees all keys but the last n - 1 - i. queries [heads, n, head_dim], keys, values
/// [kv_heads, tokens, head_dim], of any type; in f32.
Attended attend_by_formula(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  const std::int64_t n = queries.size(1);
  const std::int64_t tokens = keys.size(1);
  const auto of_heads = [&](const at::Tensor& kv) {
    return kv.to(at::kFloat).repeat_interleave(queries.size(0) / kv.size(0), 0);
  };
  const double scale = 1 / std::sqrt(static_cast<double>(queries.size(2)));
  const at::Tensor visible = at::ones({n, tokens}, queries.options().dtype(at::kBool)).tril(tokens - n);
  const at::Tensor scores = at::matmul(queries.to(at::kFloat), of_heads(keys).transpose(1, 2))
                                .mul(scale)
                                .masked_fill(visible.logical_not(), -std::numeric_limits<double>::infinity());
  return {at::matmul(scores.softmax(-1), of_heads(values)), scores.logsumexp(-1)};
}

/// The same by LibTorch's flash attention, all in bf16. Its "causal" lets the last query see the last key.
Attended attend_flash(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) {
  const auto attended = at::_scaled_dot_product_flash_attention(queries.unsqueeze(0), keys.unsqueeze(0),
                                                                values.unsqueeze(0), 0.0, true, false);
  return {std::get<0>(attended).squeeze(0), std::get<1>(attended).squeeze(0)};
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.to(at::kFloat).sub(b).abs().max().item<double>();
}

class FlashAttention final : public ChunkAttention {
 public:
  FlashAttention(TorchOnDevice torch, const ModelConfig& config, const CacheGeometry& geometry)
      : torch_(torch), heads_(config.heads), context_(config.context), geometry_(geometry) {
    reset();
  }
  ~FlashAttention() override {
    layers_.clear();
    release_torch_memory();
  }

  /// Keys that nobody sees, and ones that all heads of a group share. An error of one place in a row of 7 is no small
  /// one.
  Expected<void> check_alignment() const {
    constexpr std::int64_t n = 3;
    constexpr std::int64_t tokens = 7;
    constexpr double bound = 0.05;
    double apart = 0;
    NATSCOPE_CHECK(torch_.run([&] {
      const auto random = [&](std::int64_t heads, std::int64_t rows) {
        return at::randn({heads, rows, geometry_.head_dim}, torch_.options(at::kBFloat16));
      };
      const at::Tensor queries = random(heads_, n);
      const at::Tensor keys = random(geometry_.kv_heads, tokens);
      const at::Tensor values = random(geometry_.kv_heads, tokens);
      const Attended truth = attend_by_formula(queries, keys, values);
      const Attended found = attend(queries, keys, values);
      apart = std::max(largest_difference(found.out, truth.out), largest_difference(found.lse, truth.lse));
    }));
    if (apart <= bound) return {};
    return fail(ErrorCode::internal, "LibTorch's flash attention is " + std::to_string(apart) +
                                         " away from causal attention to the keys before");
  }

  void reset() override {
    for (Layer& layer : layers_) layer.tokens = 0;
  }

  Expected<void> run(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                     kernels::ConstView<float, 3> keys, kernels::ConstView<float, 3> values,
                     kernels::View<float, 3> out, kernels::View<float, 2> lse) override {
    const auto index = static_cast<std::size_t>(layer.value);
    if (layers_.size() <= index) layers_.resize(index + 1);
    Layer& held = layers_[index];
    const std::int64_t begin = first.value;
    const std::int64_t n = queries.size(1);
    return torch_.run([&] {
      const at::Tensor all_keys = extend(held.keys, begin, torch_.tensor(keys));
      const at::Tensor all_values = extend(held.values, begin, torch_.tensor(values));
      held.tokens = begin + n;
      const Attended attended = attend(torch_.tensor(queries).to(at::kBFloat16), all_keys, all_values);
      torch_.tensor(out).copy_(attended.out);
      torch_.tensor(lse).copy_(attended.lse);
    });
  }

  [[nodiscard]] kernels::DeviceCacheCounts counts() const override {
    kernels::DeviceCacheCounts counts;
    for (const Layer& layer : layers_) {
      counts.entries += layer.tokens * geometry_.kv_heads;
      if (layer.values.defined()) counts.allocated_bytes += context_ * geometry_.kv_heads * geometry_.entry_bytes();
    }
    return counts;
  }

 private:
  struct Layer {
    at::Tensor keys, values;  // [context, kv_heads, head_dim] bf16
    std::int64_t tokens = 0;
  };

  [[nodiscard]] Attended attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) const {
    return torch_.is_host() ? attend_by_formula(queries, keys, values) : attend_flash(queries, keys, values);
  }

  /// Puts `rows` [kv_heads, n, head_dim] behind the first `begin` tokens. Returns all: [kv_heads, begin + n, head_dim].
  [[nodiscard]] at::Tensor extend(at::Tensor& held, std::int64_t begin, const at::Tensor& rows) const {
    if (!held.defined())
      held = at::empty({context_, geometry_.kv_heads, geometry_.head_dim}, torch_.options(at::kBFloat16));
    const std::int64_t n = rows.size(1);
    held.narrow(0, begin, n).copy_(rows.transpose(0, 1));
    return held.narrow(0, 0, begin + n).transpose(0, 1);
  }

  TorchOnDevice torch_;
  std::int64_t heads_;
  std::int64_t context_;
  CacheGeometry geometry_;
  std::vector<Layer> layers_;
};

}  // namespace

Expected<std::unique_ptr<ChunkAttention>> open_flash_attention(const DeviceModule& module, const ModelConfig& config,
                                                               const CacheGeometry& geometry) {
  if (geometry.dtype != kernels::ElementType::bf16) {
    return fail(ErrorCode::usage, "flash attention computes in bf16, and the model is to be computed in f32",
                "use --dtype bfloat16");
  }
  NATSCOPE_TRY(const TorchOnDevice torch, TorchOnDevice::open(module));
  auto attention = std::make_unique<FlashAttention>(torch, config, geometry);
  NATSCOPE_CHECK(attention->check_alignment());
  return attention;
}

}  // namespace natscope
