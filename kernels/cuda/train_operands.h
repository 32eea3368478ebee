// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/attention_train.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/train_scratch.h"

namespace natscope::kernels::cuda {

/// Plans and packed operands of a call's scratch, which every pass over tiles reads: queries of all heads with rows
/// past the end zero, keys and values by place. With `d_out` also that, the log-sum-exp to base 2 and Δ = Σ dO · O.
Status prepare_operands(const TrainSizes& sizes, const TrainScratch& scratch, const AttentionTrainInputs& inputs,
                        ConstView<float, 4> out, ConstView<float, 4> d_out, ConstView<float, 3> lse, Stream stream);

}  // namespace natscope::kernels::cuda
