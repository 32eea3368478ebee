// SPDX-License-Identifier: GPL-3.0-or-later
/// Where the device of ordinary memory (host_device.cpp) was built, for programs that are given the modules' folder.
#pragma once

#include <filesystem>

namespace natscope::test {

inline const std::filesystem::path host_device_module =
    std::filesystem::path(NATSCOPE_TEST_MODULES_DIR) / "libnatscope_host_device.so";

}  // namespace natscope::test
