// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/roles/device_role_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <string>

#include "core/train/random/device_random.h"
#include "core/train/roles/role_sampling.h"

namespace natscope::train {

namespace {

using kernels::ConstView;
using kernels::View;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

float* floats(const at::Tensor& tensor) { return static_cast<float*>(tensor.data_ptr()); }
const Role* roles_of(const at::Tensor& tensor) { return static_cast<const Role*>(tensor.data_ptr()); }

template <int rank>
View<float, rank> packed(const at::Tensor& tensor) {
  std::array<std::int64_t, rank> sizes{};
  for (int i = 0; i < rank; ++i) sizes[static_cast<std::size_t>(i)] = tensor.size(i);
  return View<float, rank>::packed(floats(tensor), sizes);
}

kernels::AttentionTrainInputs inputs_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                        const at::Tensor& roles, const DeviceRoleSetup& setup) {
  return {packed<4>(q), packed<4>(k),
          packed<4>(v), ConstView<Role, 3>::packed(roles_of(roles), {roles.size(0), roles.size(1), roles.size(2)}),
          setup.window, setup.dtype};
}

/// Positions 0 and T − 1 of x [B, T, …] get `value`.
void force_ends(at::Tensor& x, double value) {
  x.select(1, 0).fill_(value);
  x.select(1, x.size(1) - 1).fill_(value);
}

/// [B, T, K] to u8 [B, K, T].
at::Tensor by_head(const at::Tensor& roles) { return roles.to(at::kByte).transpose(1, 2).contiguous(); }

/// What charge_locals_as_chosen() adds, of its own on the host: f32 [B, K, T, 3] on `device`.
at::Tensor charge_difference(const at::Tensor& sampled, const at::Tensor& chosen, double charge, at::Device device) {
  const at::Tensor drawn = sampled.cpu(), taken = chosen.cpu();
  const RoleShape shape{drawn.size(0), drawn.size(2), drawn.size(1)};
  at::Tensor difference = at::zeros({drawn.size(0), drawn.size(1), drawn.size(2), role_count}, at::kFloat);
  charge_locals_as_chosen(shape, roles_of(drawn), roles_of(taken), charge, floats(difference));
  return difference.to(device);
}

struct DeviceRoleAttention : Function<DeviceRoleAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const at::Tensor& scores, std::int64_t setup_address) {
    auto& setup = *reinterpret_cast<DeviceRoleSetup*>(setup_address);
    at::Tensor probabilities;
    if (setup.noise.defined()) {
      const at::Tensor noisy = scores + setup.noise;
      probabilities = noisy.softmax(-1);
      at::Tensor drawn = noisy.argmax(-1);
      force_ends(drawn, static_cast<double>(Role::global));
      setup.roles = by_head(drawn);
    }
    at::Tensor out = at::empty_like(q);
    at::Tensor lse = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
    throw_unless_ok(setup.attention->forward(inputs_of(q, k, v, setup.roles, setup), packed<4>(out), packed<3>(lse)));
    context->save_for_backward({q, k, v, out, lse, setup.roles, probabilities});
    context->saved_data["setup"] = setup_address;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto& setup = *reinterpret_cast<const DeviceRoleSetup*>(context->saved_data["setup"].toInt());
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4], &roles = saved[5];
    const at::Tensor& probabilities = saved[6];
    const at::Tensor d_out = gradients[0].contiguous();
    at::Tensor dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v), d_roles;
    View<float, 4> d_roles_view{};
    if (probabilities.defined()) {
      d_roles = at::empty({roles.size(0), roles.size(1), roles.size(2), role_count}, q.options());
      d_roles_view = packed<4>(d_roles);
    } else {
      d_roles_view = View<float, 4>::packed(nullptr, {roles.size(0), roles.size(1), roles.size(2), role_count});
    }
    throw_unless_ok(setup.attention->backward(inputs_of(q, k, v, roles, setup), packed<4>(out), packed<3>(lse),
                                              packed<4>(d_out), setup.applied_sparsity, packed<4>(dq), packed<4>(dk),
                                              packed<4>(dv), d_roles_view));
    at::Tensor d_scores;
    if (probabilities.defined()) {
      if (setup.local_charge == LocalCharge::argmax)
        d_roles += charge_difference(roles, setup.chosen, setup.applied_sparsity, d_roles.device());
      const at::Tensor d = d_roles.transpose(1, 2);  // [B, T, K, 3]
      d_scores = probabilities * (d - (probabilities * d).sum(-1, true));
      force_ends(d_scores, 0.0);
    }
    return {dq, dk, dv, d_scores, at::Tensor()};
  }
};

}  // namespace

at::Tensor role_noise(std::int64_t segments, std::int64_t context, std::int64_t kv_heads, const CounterRandom& random,
                      std::int64_t first_row, at::Device device) {
  const std::int64_t columns = kv_heads * role_count;
  return uniform_numbers(random, first_row * columns, segments * context * columns, device)
      .log_()
      .neg_()
      .log_()
      .neg_()
      .view({segments, context, kv_heads, role_count});
}

at::Tensor chosen_roles(const at::Tensor& scores, double global_bias) {
  at::Tensor biased = scores.detach().clone();
  biased.select(-1, static_cast<std::int64_t>(Role::global)) += global_bias;
  at::Tensor roles = biased.argmax(-1);
  roles.select(1, 0).fill_(static_cast<double>(Role::global));
  return by_head(roles);
}

at::Tensor device_role_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const at::Tensor& scores, DeviceRoleSetup& setup) {
  return DeviceRoleAttention::apply(q.contiguous(), k.contiguous(), v.contiguous(),
                                    scores.defined() ? scores.contiguous() : at::empty({0}, q.options()),
                                    static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(&setup)));
}

}  // namespace natscope::train
