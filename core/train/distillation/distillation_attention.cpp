// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/distillation/distillation_attention.h"

#include <ATen/ops/zeros.h>
#include <utility>
#include <vector>

#include "core/train/random/counter_random.h"
#include "core/train/roles/device_role_attention.h"
#include "core/train/roles/role_counts.h"

namespace natscope::train {

namespace {

/// What is common to all layers' attention.
struct Shape {
  std::int64_t kv_heads = 0;
  std::int64_t window = 0;
  double global_bias = 0.0;
  kernels::ElementType dtype = kernels::ElementType::f32;

  Shape(const ModelConfig& base, const FinetuneOptions& options)
      : kv_heads(base.kv_heads), window(options.window), global_bias(options.global_bias), dtype(options.dtype) {}
};

CounterRandom noise_of(const DistillContext& context, int layer) {
  return {context.seed, random_purpose::role_noise, static_cast<std::uint64_t>(context.step),
          static_cast<std::uint64_t>(layer)};
}

class HostAttention final : public DistillationAttention {
 public:
  explicit HostAttention(const Shape& shape) : shape_(shape) {}

  at::Tensor attend(const RoleRequest& request, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const at::Tensor& scores) override {
    RoleAttentionSetup setup;
    setup.choice = request.choice;
    setup.window = shape_.window;
    setup.global_bias = static_cast<float>(shape_.global_bias);
    setup.dtype = shape_.dtype;
    if (request.context != nullptr) {
      setup.noise = noise_of(*request.context, request.layer);
      setup.first_row = request.context->first_row;
      setup.applied_sparsity = request.context->applied_sparsity;
    }
    if (request.pass != nullptr) {
      const auto first = static_cast<std::size_t>(request.layer * shape_.kv_heads);
      if (request.choice == RoleChoice::sampled) setup.sampled = &request.pass->sampled.heads[first];
      setup.argmax = &request.pass->argmax.heads[first];
    }
    return role_attention(q.squeeze(0), k.squeeze(0), v.squeeze(0), scores, setup).unsqueeze(0);
  }

 private:
  Shape shape_;
};

class DeviceAttention final : public DistillationAttention {
 public:
  DeviceAttention(const Shape& shape, int layers, std::unique_ptr<TrainingAttention> attention)
      : shape_(shape), attention_(std::move(attention)), setups_(static_cast<std::size_t>(layers)) {}

  at::Tensor attend(const RoleRequest& request, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const at::Tensor& scores) override {
    DeviceRoleSetup& setup = setups_[static_cast<std::size_t>(request.layer)];
    const at::Tensor drawn_before = setup.noise;
    setup = {};
    setup.attention = attention_.get();
    setup.window = shape_.window;
    setup.dtype = shape_.dtype;
    const std::int64_t length = q.size(2);
    if (request.choice == RoleChoice::all_global) {
      setup.roles = at::zeros({1, shape_.kv_heads, length}, q.options().dtype(at::kByte));
      return device_role_attention(q, k, v, {}, setup);
    }
    const auto first = static_cast<std::size_t>(request.layer * shape_.kv_heads);
    const at::Tensor by_head = scores.view({1, length, shape_.kv_heads, role_count});
    if (request.choice == RoleChoice::argmax || request.pass != nullptr) {
      setup.chosen = chosen_roles(by_head, shape_.global_bias);
      if (request.pass != nullptr)
        count_roles(setup.chosen, 1, length, shape_.window, &request.pass->argmax.heads[first]);
    }
    if (request.choice == RoleChoice::argmax) {
      setup.roles = setup.chosen;
      return device_role_attention(q, k, v, {}, setup);
    }
    // What is computed again in the backward pass has the noise that the forward pass drew for this layer.
    setup.noise = request.pass == nullptr && drawn_before.defined()
                      ? drawn_before
                      : role_noise(1, length, shape_.kv_heads, noise_of(*request.context, request.layer),
                                   request.context->first_row, q.device());
    setup.applied_sparsity = request.context->applied_sparsity;
    const at::Tensor out = device_role_attention(q, k, v, by_head, setup);
    if (request.pass != nullptr)
      count_roles(setup.roles, 1, length - 1, shape_.window, &request.pass->sampled.heads[first]);
    return out;
  }

 private:
  Shape shape_;
  std::unique_ptr<TrainingAttention> attention_;
  std::vector<DeviceRoleSetup> setups_;  // a layer's; autograd points to them
};

}  // namespace

std::unique_ptr<DistillationAttention> host_distillation_attention(const ModelConfig& base,
                                                                   const FinetuneOptions& options) {
  return std::make_unique<HostAttention>(Shape(base, options));
}

std::unique_ptr<DistillationAttention> device_distillation_attention(const ModelConfig& base,
                                                                     const FinetuneOptions& options,
                                                                     std::unique_ptr<TrainingAttention> attention) {
  return std::make_unique<DeviceAttention>(Shape(base, options), base.layers, std::move(attention));
}

}  // namespace natscope::train
