// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/llama_operations.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/train/passes/bf16_product.h"

namespace natscope::train {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct Halves {
  at::Tensor low, high;
};

Halves halves(const at::Tensor& x) {
  const std::int64_t half = x.size(-1) / 2;
  return {x.narrow(-1, 0, half), x.narrow(-1, half, half)};
}

/// x turned by the angles (`sign` 1) or back (−1) into `out` of the same sizes; what no angle is for, as it is.
void turn(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine, double sign, const at::Tensor& out) {
  const std::int64_t rotated = 2 * cosine.size(-1);
  const std::int64_t rest = x.size(-1) - rotated;
  if (rest > 0) out.narrow(-1, rotated, rest).copy_(x.narrow(-1, rotated, rest));
  const Halves in = halves(x.narrow(-1, 0, rotated));
  Halves to = halves(out.narrow(-1, 0, rotated));
  at::mul_out(to.low, in.low, cosine).addcmul_(in.high, sine, -sign);
  at::mul_out(to.high, in.high, cosine).addcmul_(in.low, sine, sign);
}

/// By hand, because autograd's way back through halves and their cat fills and adds arrays of zeros.
struct Rotated : Function<Rotated> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cosine,
                            const at::Tensor& sine) {
    context->save_for_backward({cosine, sine});
    const at::Tensor out = at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, x.options());
    turn(x, cosine, sine, 1.0, out.transpose(1, 2));
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor d = gradients[0].transpose(1, 2);
    const at::Tensor dx = at::empty(d.sizes(), d.options());
    turn(d, saved[0], saved[1], -1.0, dx);
    return {dx, at::Tensor(), at::Tensor()};
  }
};

/// By hand, because it keeps its input alone, in the type that the product gave it.
struct SwiGlu : Function<SwiGlu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate_up) {
    context->save_for_backward({gate_up});
    const auto [gate, up] = halves(gate_up);
    return at::silu(gate.to(at::kFloat)).mul_(up).to(gate_up.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor gate_up = context->get_saved_variables()[0];
    const auto [gate, up] = halves(gate_up);
    const at::Tensor d = gradients[0].to(at::kFloat), wide_gate = gate.to(at::kFloat);
    const at::Tensor d_gate_up = at::empty_like(gate_up);
    const auto [d_gate, d_up] = halves(d_gate_up);
    d_up.copy_(at::silu(wide_gate).mul_(d));
    d_gate.copy_(at::silu_backward(d * up, wide_gate));
    return {d_gate_up};
  }
};

/// What linear() is, of bf16 on a CPU: its products go where those are fast (bf16_product.h), there and back.
struct Bf16Linear : Function<Bf16Linear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight) {
    context->save_for_backward({x, weight});
    at::Tensor out = at::empty(sizes_with_last(x, weight.size(0)), x.options());
    at::Tensor rows = as_rows(out);
    multiply_bf16(rows, as_rows(x), weight.t());
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1];
    const at::Tensor d = as_rows(gradients[0]);
    at::Tensor dx, d_weight;
    if (context->needs_input_grad(0)) {
      dx = at::empty(x.sizes(), x.options());
      at::Tensor rows = as_rows(dx);
      multiply_bf16(rows, d, weight);
    }
    if (context->needs_input_grad(1)) {
      d_weight = at::empty(weight.sizes(), weight.options());
      multiply_bf16(d_weight, d.t(), as_rows(x));
    }
    return {dx, d_weight};
  }

 private:
  static std::vector<std::int64_t> sizes_with_last(const at::Tensor& x, std::int64_t last) {
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.back() = last;
    return sizes;
  }
  /// [..., n] as [rows, n].
  static at::Tensor as_rows(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}); }
};

}  // namespace

at::Tensor rms_normalised(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return at::rms_norm(x, {x.size(-1)}, weight.to(at::kFloat), epsilon);
}

at::Tensor rounded_product(const at::Tensor& x, const at::Tensor& weight, at::ScalarType type) {
  if (type == at::kBFloat16 && x.is_cpu()) return Bf16Linear::apply(x.to(type), weight.to(type));
  return at::linear(x.to(type), weight.to(type));
}

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, at::ScalarType type) {
  return rounded_product(x, weight, type).to(at::kFloat);
}

at::Tensor swiglu(const at::Tensor& gate_up) { return SwiGlu::apply(gate_up); }

RotationTensors make_rotation(const RotaryEmbedding& embedding, std::int64_t positions, at::Device device) {
  at::Tensor cosine = at::empty({1, positions, 1, embedding.pairs()}, at::kFloat);
  at::Tensor sine = at::empty_like(cosine);
  embedding.tables(0, positions, static_cast<float*>(cosine.data_ptr()), static_cast<float*>(sine.data_ptr()));
  return {cosine.to(device), sine.to(device)};
}

at::Tensor rotated(const at::Tensor& x, const RotationTensors& rotation) {
  const std::int64_t positions = x.size(1);
  return Rotated::apply(x, rotation.cosine.narrow(1, 0, positions), rotation.sine.narrow(1, 0, positions));
}

}  // namespace natscope::train
