// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_train.h"

#include <new>

#include "kernels/launch/attention_train_checks.h"

namespace natscope::kernels {

namespace {

Status check_inputs(const AttentionTrainInputs& inputs) {
  if (const Status status = launch::check_train_shapes(inputs); !status.ok()) return status;
  const auto [batch, kv_heads, length] = inputs.roles.sizes;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t k = 0; k < kv_heads; ++k) {
      for (std::int64_t n = 0; n < length; ++n) {
        if (static_cast<int>(inputs.roles(b, k, n)) >= role_count)
          return {StatusCode::invalid_argument, "a role over 2"};
      }
    }
  }
  return {};
}

/// A window longer than the sequence is the sequence: keeps position + window within 32 bits below.
AttentionTrainInputs with_short_window(AttentionTrainInputs inputs) {
  if (inputs.window > inputs.q.size(2)) inputs.window = inputs.q.size(2);
  return inputs;
}

}  // namespace

Status attention_train_forward(Backend backend, const AttentionTrainInputs& inputs, View<float, 4> out,
                               View<float, 3> lse) {
  if (const Status status = check_inputs(inputs); !status.ok()) return status;
  if (const Status status = launch::check_train_outputs(inputs, out, lse); !status.ok()) return status;
  if (backend == Backend::cuda)
    return {StatusCode::backend_unavailable, "training attention has no cuda code in this build"};
  if (launch::is_empty_train(inputs)) return {};
  try {
    const AttentionTrainInputs checked = with_short_window(inputs);
    return backend == Backend::ref ? ref::attention_train_forward(checked, out, lse)
                                   : cpu::attention_train_forward(checked, out, lse);
  } catch (const std::bad_alloc&) {
    return {StatusCode::out_of_memory, "scratch of the training attention"};
  }
}

Status attention_train_backward(Backend backend, const AttentionTrainInputs& inputs, ConstView<float, 4> out,
                                ConstView<float, 3> lse, ConstView<float, 4> d_out, double sparse_regularized_value,
                                View<float, 4> dq, View<float, 4> dk, View<float, 4> dv, View<float, 4> d_roles) {
  if (const Status status = check_inputs(inputs); !status.ok()) return status;
  if (const Status status =
          launch::check_train_gradients(inputs, out, lse, d_out, sparse_regularized_value, dq, dk, dv, d_roles);
      !status.ok()) {
    return status;
  }
  if (backend == Backend::cuda)
    return {StatusCode::backend_unavailable, "training attention has no cuda code in this build"};
  if (launch::is_empty_train(inputs)) return {};
  const AttentionTrainGradients gradients{out, lse, d_out, sparse_regularized_value, dq, dk, dv, d_roles};
  try {
    const AttentionTrainInputs checked = with_short_window(inputs);
    return backend == Backend::ref ? ref::attention_train_backward(checked, gradients)
                                   : cpu::attention_train_backward(checked, gradients);
  } catch (const std::bad_alloc&) {
    return {StatusCode::out_of_memory, "scratch of the training attention"};
  }
}

}  // namespace natscope::kernels
