// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/device/torch_streams.h"

#include <c10/core/Event.h>

#include <cstdint>

namespace natscope {

/// LibTorch takes a stream of somebody else by its address: that is what its getStreamFromExternal makes of one, which
/// stands in a header that wants the CUDA toolkit's.
c10::Stream torch_stream(void* stream) {
  return c10::Stream::unpack3(static_cast<c10::StreamId>(reinterpret_cast<std::intptr_t>(stream)), 0,
                              c10::DeviceType::CUDA);
}

void put_behind(const c10::Stream& before, const c10::Stream& behind) {
  c10::Event reached(before.device_type());
  reached.record(before);
  reached.block(behind);
}

}  // namespace natscope
