// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace natscope {

/// Where one asks for something to be computed; `automatic`: on a GPU where that can be done, else on the CPU. Both
/// give the same numbers, but for their last bits.
enum class Device : std::uint8_t { automatic, cpu, cuda };

/// How they are written on the command line and in files, in the enumeration's order.
inline constexpr std::array<const char*, 3> device_names{"auto", "cpu", "cuda"};

/// `automatic` for what is no such name.
[[nodiscard]] constexpr Device device_named(std::string_view name) {
  return name == "cuda" ? Device::cuda : name == "cpu" ? Device::cpu : Device::automatic;
}

}  // namespace natscope
