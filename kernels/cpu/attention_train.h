// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/attention_train.h"

/// Training attention behind launch/, which has checked the arguments. Contracts stand in kernels/attention_train.h.
namespace natscope::kernels {

/// What backward takes besides the inputs, and what it fills.
struct AttentionTrainGradients {
  ConstView<float, 4> out;
  ConstView<float, 3> lse;
  ConstView<float, 4> d_out;
  double sparse_regularized_value = 0;
  View<float, 4> dq;
  View<float, 4> dk;
  View<float, 4> dv;
  View<float, 4> d_roles;  ///< data == nullptr: not wanted
};

namespace ref {
Status attention_train_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse);
Status attention_train_backward(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients);
}  // namespace ref

namespace cpu {
Status attention_train_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse);
Status attention_train_backward(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients);
}  // namespace cpu

}  // namespace natscope::kernels
