// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/roles/role_attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <string>

#include "core/train/roles/role_counts.h"
#include "core/train/roles/role_sampling.h"
#include "core/train/roles/training_attention.h"
#include "kernels/attention_train.h"

namespace natscope::train {

namespace {

using kernels::ConstView;
using kernels::View;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// [heads, T, D] packed, as a batch of one.
View<float, 4> heads_of(const at::Tensor& tensor) {
  return View<float, 4>::packed(tensor.data_ptr<float>(), {1, tensor.size(0), tensor.size(1), tensor.size(2)});
}

/// The roles as the kernels take them.
const Role* roles_of(const at::Tensor& tensor) {
  return reinterpret_cast<const Role*>(tensor.data_ptr<std::uint8_t>());
}

kernels::AttentionTrainInputs inputs_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                        const at::Tensor& roles, std::int64_t window, kernels::ElementType dtype) {
  return {heads_of(q), heads_of(k),
          heads_of(v), ConstView<Role, 3>::packed(roles_of(roles), {1, roles.size(0), roles.size(1)}),
          window,      dtype};
}

struct RoleAttention : Function<RoleAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const at::Tensor& scores, std::int64_t setup_address) {
    const auto& setup = *reinterpret_cast<const RoleAttentionSetup*>(setup_address);
    const RoleShape shape{1, q.size(1), k.size(0)};
    at::Tensor roles = at::zeros({shape.kv_heads, shape.context}, at::kByte);
    at::Tensor probabilities;
    auto* const role_data = reinterpret_cast<Role*>(roles.data_ptr<std::uint8_t>());
    if (setup.choice == RoleChoice::sampled) {
      probabilities = at::empty_like(scores);
      sample_roles(shape, scores.data_ptr<float>(), setup.noise, setup.first_row, role_data,
                   probabilities.data_ptr<float>());
      if (setup.sampled != nullptr) count_roles(roles.unsqueeze(0), 1, shape.context - 1, setup.window, setup.sampled);
    }
    if (setup.choice == RoleChoice::argmax || (setup.choice == RoleChoice::sampled && setup.argmax != nullptr)) {
      at::Tensor chosen = setup.choice == RoleChoice::argmax ? roles : at::zeros_like(roles);
      argmax_roles(shape, scores.data_ptr<float>(), setup.global_bias,
                   reinterpret_cast<Role*>(chosen.data_ptr<std::uint8_t>()));
      if (setup.argmax != nullptr) count_roles(chosen.unsqueeze(0), 1, shape.context, setup.window, setup.argmax);
    }
    at::Tensor out = at::empty_like(q);
    at::Tensor lse = at::empty({q.size(0), q.size(1)}, q.options());
    throw_unless_ok(kernels::attention_train_forward(
        kernels::Backend::cpu, inputs_of(q, k, v, roles, setup.window, setup.dtype), heads_of(out),
        View<float, 3>::packed(lse.data_ptr<float>(), {1, q.size(0), q.size(1)})));
    context->save_for_backward({q, k, v, out, lse, roles, probabilities});
    context->saved_data["window"] = setup.window;
    context->saved_data["sparsity"] = setup.applied_sparsity;
    context->saved_data["dtype"] = static_cast<std::int64_t>(setup.dtype);
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4], &roles = saved[5];
    const at::Tensor& probabilities = saved[6];
    const bool learned = probabilities.defined();
    const at::Tensor d_out = gradients[0].contiguous();
    at::Tensor dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v);
    at::Tensor d_roles;
    if (learned) d_roles = at::empty({roles.size(0), roles.size(1), role_count}, q.options());
    throw_unless_ok(kernels::attention_train_backward(
        kernels::Backend::cpu,
        inputs_of(q, k, v, roles, context->saved_data["window"].toInt(),
                  static_cast<kernels::ElementType>(context->saved_data["dtype"].toInt())),
        heads_of(out), View<float, 3>::packed(lse.data_ptr<float>(), {1, q.size(0), q.size(1)}), heads_of(d_out),
        context->saved_data["sparsity"].toDouble(), heads_of(dq), heads_of(dk), heads_of(dv),
        View<float, 4>::packed(learned ? d_roles.data_ptr<float>() : nullptr,
                               {1, roles.size(0), roles.size(1), role_count})));
    at::Tensor d_scores;
    if (learned) {
      d_scores = at::empty_like(probabilities);
      role_scores_backward({1, roles.size(1), roles.size(0)}, d_roles.data_ptr<float>(),
                           probabilities.data_ptr<float>(), d_scores.data_ptr<float>());
    }
    return {dq, dk, dv, d_scores, at::Tensor()};
  }
};

}  // namespace

at::Tensor role_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& scores,
                          const RoleAttentionSetup& setup) {
  return RoleAttention::apply(q.contiguous(), k.contiguous(), v.contiguous(),
                              scores.defined() ? scores.contiguous() : at::empty({0}, q.options()),
                              static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(&setup)));
}

}  // namespace natscope::train
