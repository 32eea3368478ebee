// SPDX-License-Identifier: GPL-3.0-or-later
/// The operations behind `natscope-cli kernel`: arrays in, arrays out, checked before a kernel sees them.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "core/base/expected.h"
#include "core/io/safetensors.h"
#include "kernels/element_type.h"
#include "kernels/status.h"

namespace natscope {

struct KernelSettings {
  kernels::Backend backend = kernels::Backend::cpu;
  kernels::ElementType dtype = kernels::ElementType::f32;
  int threads = 0;
};

struct KernelOperation {
  const char* name;
  const char* inputs;   ///< for --list
  const char* outputs;  ///< for --list
  /// Errors: bad_arrays (missing, misshapen, of another dtype, values out of range), device_unavailable, out_of_memory,
  /// and those of writing a file.
  Expected<void> (*run)(const SafetensorsFile& in, const KernelSettings& settings, const std::filesystem::path& out);
};

[[nodiscard]] std::span<const KernelOperation> kernel_operations();
[[nodiscard]] const KernelOperation* find_kernel_operation(std::string_view name);

}  // namespace natscope
