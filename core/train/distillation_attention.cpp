// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/distillation_attention.h"

#include "core/train/counter_random.h"

namespace natscope::train {

namespace {

/// What is common to all layers' attention.
struct Shape {
  std::int64_t kv_heads = 0;
  std::int64_t window = 0;
  double global_bias = 0.0;
  kernels::ElementType dtype = kernels::ElementType::f32;

  Shape(const ModelConfig& base, const FinetuneOptions& options)
      : kv_heads(base.kv_heads),
        window(options.window),
        global_bias(options.global_bias),
        dtype(options.dtype == ComputeDType::bfloat16 ? kernels::ElementType::bf16 : kernels::ElementType::f32) {}
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

}  // namespace

std::unique_ptr<DistillationAttention> host_distillation_attention(const ModelConfig& base,
                                                                   const FinetuneOptions& options) {
  return std::make_unique<HostAttention>(Shape(base, options));
}

}  // namespace natscope::train
