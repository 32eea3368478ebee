// SPDX-License-Identifier: GPL-3.0-or-later
// The table of kernels/device_training.h: the training attention over arrays of the host.
#include <algorithm>
#include <deque>
#include <functional>
#include <new>
#include <vector>

#include "kernels/cuda/attention_train.h"
#include "kernels/cuda/device.h"
#include "kernels/device_training.h"

namespace natscope::kernels::cuda {
namespace {

/// Packed arrays on the device while a call lasts. The first thing that goes wrong stays.
class Arrays {
 public:
  template <class T, int Rank>
  ConstView<T, Rank> in(const View<const T, Rank>& host) {
    T* const data = static_cast<T*>(allocate(bytes_of(host)));
    if (status_.ok()) status_ = copy_to_device(data, host.data, bytes_of(host), nullptr);
    return {data, host.sizes, host.strides};
  }
  template <class T, int Rank>
  View<T, Rank> out(const View<T, Rank>& host) {
    T* const data = static_cast<T*>(allocate(bytes_of(host)));
    if (status_.ok()) {
      // What a kernel leaves out stays a NaN.
      status_ = fill_bytes(data, 0xff, bytes_of(host), nullptr);
      results_.push_back({host.data, data, bytes_of(host)});
    }
    return {data, host.sizes, host.strides};
  }
  void* scratch(std::int64_t size_bytes) { return allocate(size_bytes); }

  /// Runs, waits, and copies results to the host; nothing is written there unless all went well.
  Status run(const std::function<Status()>& launch) {
    if (status_.ok()) status_ = launch();
    if (status_.ok()) status_ = synchronize(nullptr);
    for (const Result& result : results_) {
      if (status_.ok()) status_ = copy_to_host(result.host, result.device, result.size_bytes, nullptr);
    }
    return status_.ok() ? synchronize(nullptr) : status_;
  }

 private:
  struct Result {
    void* host;
    const void* device;
    std::int64_t size_bytes;
  };
  template <class T, int Rank>
  static std::int64_t bytes_of(const View<T, Rank>& view) {
    std::int64_t size = sizeof(T);
    for (const std::int64_t extent : view.sizes) size *= extent;
    return size;
  }
  void* allocate(std::int64_t size_bytes) {
    if (!status_.ok()) return nullptr;
    DeviceMemory& memory = memory_.emplace_back();
    status_ = memory.allocate(std::max<std::int64_t>(size_bytes, 1));
    return memory.data();
  }

  Status status_;
  std::deque<DeviceMemory> memory_;
  std::vector<Result> results_;
};

Status there_is_a_device() {
  DeviceInfo info;
  return device_info(info);
}

bool is_empty(const AttentionTrainInputs& inputs) {
  return std::ranges::any_of(inputs.q.sizes, [](std::int64_t extent) { return extent == 0; });
}

/// A window longer than the sequence is the sequence.
AttentionTrainInputs on_device(Arrays& arrays, const AttentionTrainInputs& inputs) {
  return {arrays.in(inputs.q),
          arrays.in(inputs.k),
          arrays.in(inputs.v),
          arrays.in(inputs.roles),
          std::min(inputs.window, inputs.q.size(2)),
          inputs.dtype};
}

Status forward(const AttentionTrainInputs* inputs, const View<float, 4>* out, const View<float, 3>* lse) try {
  if (const Status status = there_is_a_device(); !status.ok() || is_empty(*inputs)) return status;
  Arrays arrays;
  const AttentionTrainInputs there = on_device(arrays, *inputs);
  const View<float, 4> out_there = arrays.out(*out);
  const View<float, 3> lse_there = arrays.out(*lse);
  const std::int64_t bytes = attention_train_scratch_bytes(there, false);
  void* const scratch = arrays.scratch(bytes);
  return arrays.run([&] { return attention_train_forward(there, out_there, lse_there, scratch, bytes, nullptr); });
} catch (const std::bad_alloc&) {
  return {StatusCode::out_of_memory, "the host's memory"};
}

Status backward(const AttentionTrainInputs* inputs, const ConstView<float, 4>* out, const ConstView<float, 3>* lse,
                const ConstView<float, 4>* d_out, double sparse_regularized_value, const View<float, 4>* dq,
                const View<float, 4>* dk, const View<float, 4>* dv, const View<float, 4>* d_roles) try {
  if (const Status status = there_is_a_device(); !status.ok() || is_empty(*inputs)) return status;
  Arrays arrays;
  const AttentionTrainInputs there = on_device(arrays, *inputs);
  const ConstView<float, 4> out_there = arrays.in(*out);
  const ConstView<float, 3> lse_there = arrays.in(*lse);
  const ConstView<float, 4> d_out_there = arrays.in(*d_out);
  const View<float, 4> dq_there = arrays.out(*dq);
  const View<float, 4> dk_there = arrays.out(*dk);
  const View<float, 4> dv_there = arrays.out(*dv);
  const View<float, 4> d_roles_there = arrays.out(*d_roles);
  const std::int64_t bytes = attention_train_scratch_bytes(there, true);
  void* const scratch = arrays.scratch(bytes);
  return arrays.run([&] {
    return attention_train_backward(there, out_there, lse_there, d_out_there, sparse_regularized_value, dq_there,
                                    dk_there, dv_there, d_roles_there, scratch, bytes, nullptr);
  });
} catch (const std::bad_alloc&) {
  return {StatusCode::out_of_memory, "the host's memory"};
}

constexpr DeviceTraining table{.abi_version = device_training_abi_version,
                               .size_bytes = sizeof(DeviceTraining),
                               .forward = forward,
                               .backward = backward};

}  // namespace
}  // namespace natscope::kernels::cuda

extern "C" __attribute__((visibility("default"))) const natscope::kernels::DeviceTraining* natscope_device_training();
const natscope::kernels::DeviceTraining* natscope_device_training() { return &natscope::kernels::cuda::table; }
