// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/roles/gpu_attention.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <string>
#include <utility>

#include "core/cache/kernel_status.h"
#include "core/device/device_memory.h"
#include "core/device/torch_streams.h"

namespace natscope::train {

namespace {

/// The module has a stream of its own: a call begins there when LibTorch's work before it is done, and LibTorch's goes
/// on when that is; the host waits for neither. Tensors that are freed meanwhile LibTorch gives out again for work of
/// the same stream alone, which comes behind.
class GpuAttention final : public TrainingAttention {
 public:
  explicit GpuAttention(std::unique_ptr<DeviceModule> module)
      : module_(std::move(module)),
        operations_(module_->operations()),
        own_(torch_stream(operations_.stream(module_->device()))) {}

  kernels::Status forward(const kernels::AttentionTrainInputs& inputs, kernels::View<float, 4> out,
                          kernels::View<float, 3> lse) override {
    return run([&] { return operations_.attention_train_forward(module_->device(), &inputs, &out, &lse); });
  }

  kernels::Status backward(const kernels::AttentionTrainInputs& inputs, kernels::ConstView<float, 4> out,
                           kernels::ConstView<float, 3> lse, kernels::ConstView<float, 4> d_out,
                           double sparse_regularized_value, kernels::View<float, 4> dq, kernels::View<float, 4> dk,
                           kernels::View<float, 4> dv, kernels::View<float, 4> d_roles) override {
    return run([&] {
      return operations_.attention_train_backward(module_->device(), &inputs, &out, &lse, &d_out,
                                                  sparse_regularized_value, &dq, &dk, &dv, &d_roles);
    });
  }

 private:
  template <class Call>
  [[nodiscard]] kernels::Status run(const Call& call) const {
    // This thread's, for its computing: sums over ranks go on beside it.
    const c10::Stream computing = torch_.getStream({c10::DeviceType::CUDA, 0});
    put_behind(computing, own_);
    // The module's stream is behind LibTorch's by now: who waits for it waits for both.
    const kernels::Status status = with_idle_memory(*module_, call);
    // Of a call that failed half way as well: its first kernels write to tensors that an exception gives back.
    put_behind(own_, computing);
    return status;
  }

  std::unique_ptr<DeviceModule> module_;
  const kernels::DeviceOperations& operations_;
  c10::impl::VirtualGuardImpl torch_{c10::DeviceType::CUDA};
  c10::Stream own_;
};

}  // namespace

Expected<void> check_training_heads(const DeviceModule& module, const TrainingHeads& heads) {
  const kernels::Status fits = module.operations().attention_train_fits(module.device(), heads.head_dim, heads.dtype);
  if (fits.code == kernels::StatusCode::unsupported_shape)
    return fail(ErrorCode::device_unavailable, std::string("the GPU cannot train this model: ") + fits.detail);
  return from_status(fits, "training attention");
}

Expected<std::unique_ptr<TrainingAttention>> open_gpu_attention(const std::optional<TrainingHeads>& heads) {
  // The module says in its own words what a machine lacks, before LibTorch is asked.
  NATSCOPE_TRY(auto module, DeviceModule::open({}));
  if (heads) NATSCOPE_CHECK(check_training_heads(*module, *heads));
  NATSCOPE_CHECK(load_torch_cuda());
  compute_in_full_precision();
  return std::make_unique<GpuAttention>(std::move(module));
}

}  // namespace natscope::train
