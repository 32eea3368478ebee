// SPDX-License-Identifier: GPL-3.0-or-later
// A device that is none: the table of a GPU's module over ordinary memory and the CPU's kernels. It keeps its own
// cache, poisons what it allocates, and refuses what a device could not do.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "kernels/attention_train.h"
#include "kernels/device_operations.h"
#include "tests/core/engine/modules/host_cache.h"
#include "tests/core/engine/modules/host_memory.h"
#include "tests/core/engine/modules/host_rows.h"

#ifndef NATSCOPE_TEST_ABI_VERSION
#define NATSCOPE_TEST_ABI_VERSION natscope::kernels::device_abi_version
#endif

namespace natscope::test::host {
namespace {

using kernels::Backend;
using kernels::StatusCode;

bool owns_all(OpenedDevice* device, const kernels::AttentionTrainInputs& inputs) {
  return owns(device, inputs.q) && owns(device, inputs.k) && owns(device, inputs.v) && owns(device, inputs.roles);
}

Status train_fits(OpenedDevice*, std::int64_t, kernels::ElementType) {
  if (std::getenv("NATSCOPE_TEST_SMALL_DEVICE") == nullptr) return ok;
  return {StatusCode::unsupported_shape, "heads of this size do not fit it"};
}

Status train_forward(OpenedDevice* device, const kernels::AttentionTrainInputs* inputs, const View<float, 4>* out,
                     const View<float, 3>* lse) {
  if (!owns_all(device, *inputs) || !owns(device, *out) || !owns(device, *lse)) return foreign;
  return kernels::attention_train_forward(Backend::cpu, *inputs, *out, *lse);
}

Status train_backward(OpenedDevice* device, const kernels::AttentionTrainInputs* inputs, const ConstView<float, 4>* out,
                      const ConstView<float, 3>* lse, const ConstView<float, 4>* d_out, double sparse_regularized_value,
                      const View<float, 4>* dq, const View<float, 4>* dk, const View<float, 4>* dv,
                      const View<float, 4>* d_roles) {
  if (!owns_all(device, *inputs) || !owns(device, *out) || !owns(device, *lse) || !owns(device, *d_out) ||
      !owns(device, *dq) || !owns(device, *dk) || !owns(device, *dv) || !owns(device, *d_roles)) {
    return foreign;
  }
  return kernels::attention_train_backward(Backend::cpu, *inputs, *out, *lse, *d_out, sparse_regularized_value, *dq,
                                           *dk, *dv, *d_roles);
}

bool is_aside = false;  // in order here, too
Status begin_aside(OpenedDevice*) {
  if (is_aside) return {StatusCode::invalid_argument, "work aside in work aside"};
  is_aside = true;
  return ok;
}
Status end_aside(OpenedDevice*) {
  if (!is_aside) return {StatusCode::invalid_argument, "no work aside to end"};
  is_aside = false;
  return ok;
}
Status join_aside(OpenedDevice*) { return is_aside ? Status{StatusCode::invalid_argument, "work aside goes on"} : ok; }

std::int64_t replays = 0;

Status begin_recording(OpenedDevice* device) {
  if (recording_of(device) != nullptr) return {StatusCode::invalid_argument, "a recording in a recording"};
  device->recording = std::make_unique<DeviceRecording>();
  device->recording->moves = device->moves;
  return ok;
}

Status end_recording(OpenedDevice* device, DeviceRecording** recording) {
  if (recording_of(device) == nullptr) return {StatusCode::invalid_argument, "no recording to end"};
  std::unique_ptr<DeviceRecording> ended = std::move(device->recording);
  if (std::getenv("NATSCOPE_TEST_NO_RECORDING") != nullptr) return {StatusCode::invalid_argument, "no recording here"};
  *recording = ended.release();
  return ok;
}

void free_recording(OpenedDevice*, DeviceRecording* recording) { delete recording; }

bool is_current(OpenedDevice* device, const DeviceRecording* recording) { return recording->moves == device->moves; }

Status replay(OpenedDevice* device, DeviceRecording* recording) {
  if (!is_current(device, recording)) return {StatusCode::invalid_argument, "a recording of memory that is gone"};
  ++replays;
  for (const auto& call : recording->calls) {
    if (const Status status = call(); !status.ok()) return status;
  }
  return ok;
}

template <auto operation>
constexpr auto recordable = &Recordable<operation, recording_of>::call;
template <auto operation>
constexpr auto alone = &NotRecordable<operation, recording_of>::call;

constexpr kernels::DeviceOperations table{
    .abi_version = NATSCOPE_TEST_ABI_VERSION,
    .size_bytes = sizeof(kernels::DeviceOperations),
    .open = open,
    .close = close,
    .allocate = alone<allocate>,
    .free = free,
    .upload = upload,
    .download = download,
    .allocate_pinned = alone<allocate_pinned>,
    .free_pinned = free_pinned,
    .wait = alone<wait>,
    .set_mark = alone<set_mark>,
    .wait_mark = alone<wait_mark>,
    .begin_aside = begin_aside,
    .end_aside = end_aside,
    .join_aside = join_aside,
    .stream = stream,
    .rms_norm = recordable<rms_norm>,
    .turn_heads = recordable<turn_heads>,
    .swiglu = recordable<swiglu>,
    .round_to_bf16 = recordable<round_to_bf16>,
    .linear = recordable<linear>,
    .token_products = recordable<token_products>,
    .token_heads = recordable<token_heads>,
    .assign_roles = recordable<assign_roles>,
    .create_cache = create_cache,
    .free_cache = free_cache,
    .reset_cache = alone<reset_cache>,
    .reserve_cache = alone<reserve_cache>,
    .append = recordable<append>,
    .append_token = recordable<append_token>,
    .keep_by_scores = recordable<keep_by_scores>,
    .drop_entries = recordable<drop_entries>,
    .read_scores = alone<read_scores>,
    .end_appends = recordable<end_appends>,
    .cache_counts = cache_counts,
    .attention = recordable<attention>,
    .begin_recording = begin_recording,
    .end_recording = end_recording,
    .free_recording = free_recording,
    .is_current = is_current,
    .replay = alone<replay>,
    .attention_train_fits = train_fits,
    .attention_train_forward = train_forward,
    .attention_train_backward = train_backward,
};

}  // namespace
}  // namespace natscope::test::host

// Counters for the tests, which open this module by its path.
extern "C" std::int64_t natscope_test_device_waits();
extern "C" std::int64_t natscope_test_device_waits() { return natscope::test::host::waits_so_far(); }
extern "C" std::int64_t natscope_test_device_downloaded_bytes();
extern "C" std::int64_t natscope_test_device_downloaded_bytes() {
  return natscope::test::host::downloaded_bytes_so_far();
}
extern "C" std::int64_t natscope_test_device_replays();
extern "C" std::int64_t natscope_test_device_replays() { return natscope::test::host::replays; }

extern "C" const natscope::kernels::DeviceOperations* natscope_device_operations();
extern "C" const natscope::kernels::DeviceOperations* natscope_device_operations() {
  return &natscope::test::host::table;
}
