// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/torch_side_stream.h"

#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <exception>

#include "core/device/torch_errors.h"
#include "core/device/torch_streams.h"

namespace natscope::train {

namespace {

constexpr MemoryWords no_memory{"no memory on the GPU for a stream", "use --device cpu"};
const c10::Device gpu(c10::DeviceType::CUDA, 0);

class TorchSideStream final : public SideStream {
 public:
  TorchSideStream() : side_(torch_.getStreamFromGlobalPool(gpu, /*isHighPriority=*/true)) {}

  [[nodiscard]] void* handle() const override { return side_.native_handle(); }

  [[nodiscard]] Expected<void> wait_for_computing() override { return order(torch_.getStream(gpu), side_); }
  [[nodiscard]] Expected<void> let_computing_wait() override { return order(side_, torch_.getStream(gpu)); }

  [[nodiscard]] bool is_idle() const override {
    try {
      return side_.query();
    } catch (const std::exception&) {
      return false;  // a device that failed does nothing more
    }
  }

 private:
  [[nodiscard]] static Expected<void> order(const c10::Stream& before, const c10::Stream& behind) {
    return without_exceptions(no_memory, [&]() -> Expected<void> {
      put_behind(before, behind);
      return {};
    });
  }

  c10::impl::VirtualGuardImpl torch_{c10::DeviceType::CUDA};
  c10::Stream side_;
};

}  // namespace

Expected<std::unique_ptr<SideStream>> torch_side_stream() {
  return without_exceptions(
      no_memory, []() -> Expected<std::unique_ptr<SideStream>> { return std::make_unique<TorchSideStream>(); });
}

}  // namespace natscope::train
