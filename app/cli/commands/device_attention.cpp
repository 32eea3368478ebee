// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/device_attention.h"

#include <algorithm>
#include <deque>
#include <type_traits>

#include "core/cache/kernel_status.h"

namespace natscope {

namespace {

using kernels::AttentionTrainInputs;
using kernels::ConstView;
using kernels::View;

constexpr const char* what = "training attention on the GPU";

/// Packed arrays on the device while a call lasts.
class Copies {
 public:
  explicit Copies(const DeviceModule& module) : module_(module) {}

  /// The host's array, there. Results are copied, too: what a kernel leaves out stays what it was.
  template <class T, int rank>
  Expected<View<T, rank>> put(const View<T, rank>& host) {
    DeviceArray& array = arrays_.emplace_back(module_);
    NATSCOPE_CHECK(array.upload(host.data, bytes_of(host)));
    return View<T, rank>{array.as<std::remove_const_t<T>>(), host.sizes, host.strides};
  }
  Expected<AttentionTrainInputs> put(const AttentionTrainInputs& inputs) {
    AttentionTrainInputs there = inputs;
    NATSCOPE_TRY(there.q, put(inputs.q));
    NATSCOPE_TRY(there.k, put(inputs.k));
    NATSCOPE_TRY(there.v, put(inputs.v));
    NATSCOPE_TRY(there.roles, put(inputs.roles));
    there.window = std::min(inputs.window, inputs.q.size(2));  // a longer one is the sequence
    return there;
  }

  [[nodiscard]] Expected<void> wait() const { return from_status(module_.operations().wait(module_.device()), what); }
  template <int rank>
  Expected<void> fetch(const View<float, rank>& host, const View<float, rank>& there) const {
    return from_status(module_.operations().download(module_.device(), host.data, there.data, bytes_of(host)), what);
  }

 private:
  template <class T, int rank>
  static std::int64_t bytes_of(const View<T, rank>& view) {
    std::int64_t size = sizeof(T);
    for (const std::int64_t extent : view.sizes) size *= extent;
    return size;
  }

  const DeviceModule& module_;
  std::deque<DeviceArray> arrays_;
};

bool is_empty(const AttentionTrainInputs& inputs) {
  return std::ranges::any_of(inputs.q.sizes, [](std::int64_t extent) { return extent == 0; });
}

}  // namespace

Expected<DeviceAttention> DeviceAttention::open(const std::filesystem::path& path) {
  DeviceAttention attention;
  NATSCOPE_TRY(attention.module_, DeviceModule::open(path));
  return attention;
}

Expected<void> DeviceAttention::forward(const AttentionTrainInputs& inputs, View<float, 4> out,
                                        View<float, 3> lse) const {
  if (is_empty(inputs)) return {};
  Copies copies(*module_);
  NATSCOPE_TRY(const AttentionTrainInputs there, copies.put(inputs));
  NATSCOPE_TRY(const auto out_there, copies.put(out));
  NATSCOPE_TRY(const auto lse_there, copies.put(lse));
  NATSCOPE_CHECK(from_status(
      module_->operations().attention_train_forward(module_->device(), &there, &out_there, &lse_there), what));
  NATSCOPE_CHECK(copies.wait());
  NATSCOPE_CHECK(copies.fetch(out, out_there));
  NATSCOPE_CHECK(copies.fetch(lse, lse_there));
  return copies.wait();
}

Expected<void> DeviceAttention::backward(const AttentionTrainInputs& inputs, ConstView<float, 4> out,
                                         ConstView<float, 3> lse, ConstView<float, 4> d_out,
                                         double sparse_regularized_value, View<float, 4> dq, View<float, 4> dk,
                                         View<float, 4> dv, View<float, 4> d_roles) const {
  if (is_empty(inputs)) return {};
  Copies copies(*module_);
  NATSCOPE_TRY(const AttentionTrainInputs there, copies.put(inputs));
  NATSCOPE_TRY(const auto out_there, copies.put(out));
  NATSCOPE_TRY(const auto lse_there, copies.put(lse));
  NATSCOPE_TRY(const auto d_out_there, copies.put(d_out));
  NATSCOPE_TRY(const auto dq_there, copies.put(dq));
  NATSCOPE_TRY(const auto dk_there, copies.put(dk));
  NATSCOPE_TRY(const auto dv_there, copies.put(dv));
  NATSCOPE_TRY(const auto d_roles_there, copies.put(d_roles));
  NATSCOPE_CHECK(from_status(module_->operations().attention_train_backward(
                                 module_->device(), &there, &out_there, &lse_there, &d_out_there,
                                 sparse_regularized_value, &dq_there, &dk_there, &dv_there, &d_roles_there),
                             what));
  NATSCOPE_CHECK(copies.wait());
  NATSCOPE_CHECK(copies.fetch(dq, dq_there));
  NATSCOPE_CHECK(copies.fetch(dk, dk_there));
  NATSCOPE_CHECK(copies.fetch(dv, dv_there));
  NATSCOPE_CHECK(copies.fetch(d_roles, d_roles_there));
  return copies.wait();
}

}  // namespace natscope
