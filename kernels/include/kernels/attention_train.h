// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/status.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

namespace natscope::kernels {

/// What the training attention reads. Strides are free except that head_dim is dense.
///   q [batch, heads, T, head_dim], k, v [batch, kv_heads, T, head_dim], rotated already; roles [batch, kv_heads, T]
/// `dtype` bf16: products of q, k, v and d_out take their operands rounded to bf16 and sum in f32 (what an
/// accelerator's matrix units do); f32: everything in f32. The arrays themselves are f32 either way.
struct AttentionTrainInputs {
  ConstView<float, 4> q;
  ConstView<float, 4> k;
  ConstView<float, 4> v;
  ConstView<Role, 3> roles;
  std::int64_t window = 0;
  ElementType dtype = ElementType::f32;
};

/// Masked softmax attention over a whole sequence.
///   out [batch, heads, T, head_dim], lse [batch, heads, T] natural log
/// Nothing of size T × T is ever allocated. Errors: shape_mismatch, invalid_argument (a role over 2, window < 0),
/// unsupported_shape, out_of_memory. Source: the rules, section 4.
Status attention_train_forward(Backend backend, const AttentionTrainInputs& inputs, View<float, 4> out,
                               View<float, 3> lse);

/// Gradients of the above, and of the role options through the differentiable mask.
///   out, lse as forward gave them; d_out as out
///   dq as q, dk, dv as k; d_roles [batch, kv_heads, T, 3] in the order G, L, S
/// `sparse_regularized_value` is the λ to add as section 7 of the rules says, once per batch item and KV head.
/// The role sums run over every causal pair, visible or not (section 6): they see what a dropped key would have given.
/// `d_roles` may have data == nullptr: then only dq, dk, dv are computed (plain masked attention).
/// Errors and source: as forward; equations 14 – 26 of the paper.
Status attention_train_backward(Backend backend, const AttentionTrainInputs& inputs, ConstView<float, 4> out,
                                ConstView<float, 3> lse, ConstView<float, 4> d_out, double sparse_regularized_value,
                                View<float, 4> dq, View<float, 4> dk, View<float, 4> dv, View<float, 4> d_roles);

}  // namespace natscope::kernels
