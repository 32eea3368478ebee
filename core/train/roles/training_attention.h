// SPDX-License-Identifier: GPL-3.0-or-later
/// Who computes the training attention of tensors on one device. Private to core/train.
#pragma once

#include <new>
#include <stdexcept>
#include <string>

#include "kernels/attention_train.h"

namespace natscope::train {

/// For code that LibTorch calls, which has exceptions alone. Throws std::bad_alloc, or std::runtime_error with the
/// kernel's words.
inline void throw_unless_ok(const kernels::Status& status) {
  if (status.ok()) return;
  if (status.code == kernels::StatusCode::out_of_memory) throw std::bad_alloc();
  throw std::runtime_error(std::string("training attention: ") + status.detail);
}

/// Contracts as kernels/attention_train.h, with views into the device's memory. Results stand for what LibTorch does
/// next on this thread: on a GPU a call returns before its work is done, and what that does wrong LibTorch says.
class TrainingAttention {
 public:
  virtual ~TrainingAttention() = default;
  virtual kernels::Status forward(const kernels::AttentionTrainInputs& inputs, kernels::View<float, 4> out,
                                  kernels::View<float, 3> lse) = 0;
  virtual kernels::Status backward(const kernels::AttentionTrainInputs& inputs, kernels::ConstView<float, 4> out,
                                   kernels::ConstView<float, 3> lse, kernels::ConstView<float, 4> d_out,
                                   double sparse_regularized_value, kernels::View<float, 4> dq,
                                   kernels::View<float, 4> dk, kernels::View<float, 4> dv,
                                   kernels::View<float, 4> d_roles) = 0;
};

/// Ordinary memory.
class HostTrainingAttention final : public TrainingAttention {
 public:
  explicit HostTrainingAttention(kernels::Backend backend) : backend_(backend) {}

  kernels::Status forward(const kernels::AttentionTrainInputs& inputs, kernels::View<float, 4> out,
                          kernels::View<float, 3> lse) override {
    return kernels::attention_train_forward(backend_, inputs, out, lse);
  }
  kernels::Status backward(const kernels::AttentionTrainInputs& inputs, kernels::ConstView<float, 4> out,
                           kernels::ConstView<float, 3> lse, kernels::ConstView<float, 4> d_out,
                           double sparse_regularized_value, kernels::View<float, 4> dq, kernels::View<float, 4> dk,
                           kernels::View<float, 4> dv, kernels::View<float, 4> d_roles) override {
    return kernels::attention_train_backward(backend_, inputs, out, lse, d_out, sparse_regularized_value, dq, dk, dv,
                                             d_roles);
  }

 private:
  kernels::Backend backend_;
};

}  // namespace natscope::train
