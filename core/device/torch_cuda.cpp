// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/device/torch_cuda.h"
#include "core/device/torch_errors.h"

#include <ATen/Context.h>
#include <c10/core/Allocator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <new>
#include <string>

#include "core/base/shared_library.h"

namespace natscope {

namespace {

constexpr const char* what_to_do = "use a LibTorch with CUDA and its libraries (NATSCOPE_LIBTORCH_DIR)";

std::atomic<bool> is_loaded = false;

/// By name: beside the LibTorch that this program is linked with, as its run path says.
Expected<SharedLibrary> torch_cuda() { return SharedLibrary::open("libtorch_cuda.so", SharedLibrary::Symbols::global); }

/// LibTorch keeps a workspace for every stream that it ever multiplied on. The function that frees them stands in a
/// header that wants the CUDA toolkit's; without it they stay, which costs tens of megabytes and nothing else.
void release_workspaces() {
  const auto library = torch_cuda();
  if (!library) return;
  const auto release = library->function<void()>("_ZN2at4cuda21clearCublasWorkspacesEv");
  if (release) (*release)();
}

}  // namespace

Expected<void> load_torch_cuda() {
  if (is_loaded) return {};
  if (const auto library = torch_cuda(); !library) {
    return fail(ErrorCode::device_unavailable, "LibTorch's CUDA cannot be loaded: " + library.error().message,
                what_to_do);
  }
  try {
    if (!at::hasCUDA()) return fail(ErrorCode::device_unavailable, "LibTorch sees no GPU", "look at the driver");
    at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  } catch (const std::exception& problem) {
    return fail(ErrorCode::device_unavailable, "LibTorch cannot use the GPU: " + from_torch(problem).value().message,
                "look at the driver");
  }
  is_loaded = true;
  return {};
}

void compute_in_full_precision() {
  at::globalContext().setAllowBF16ReductionCuBLAS(false);
  at::globalContext().setFloat32MatmulPrecision("highest");
}

void release_torch_memory() {
  if (!is_loaded) return;
  try {
    release_workspaces();
    // Through the allocator's interface: CUDA's own header is not there in a LibTorch for CPUs.
    if (auto* const allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA)))
      allocator->emptyCache();
  } catch (const std::exception&) {
    // What cannot be given back stays with LibTorch; whoever needs it will be told by an error of its own.
  }
}

}  // namespace natscope
