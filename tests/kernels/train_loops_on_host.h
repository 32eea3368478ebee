// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/attention_train.h"

/// The loops of kernels/cuda's training attention (train_plan.h, train_loops.h) over plain arrays: the same plans,
/// tiles, masks, stages and sums as on a GPU with its matrix products written out. What is wrong here is wrong there.
namespace natscope::test {

kernels::Status train_loops_forward(const kernels::AttentionTrainInputs& inputs, kernels::View<float, 4> out,
                                    kernels::View<float, 3> lse);

kernels::Status train_loops_backward(const kernels::AttentionTrainInputs& inputs, kernels::ConstView<float, 4> out,
                                     kernels::ConstView<float, 3> lse, kernels::ConstView<float, 4> d_out,
                                     double lambda, kernels::View<float, 4> dq, kernels::View<float, 4> dk,
                                     kernels::View<float, 4> dv, kernels::View<float, 4> d_roles);

}  // namespace natscope::test
