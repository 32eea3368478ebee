// SPDX-License-Identifier: GPL-3.0-or-later
/// Locks between processes: held until the object is gone, at the latest by the system when the process ends.
#pragma once

#include <filesystem>
#include <optional>

#include "core/base/expected.h"
#include "core/base/unique_descriptor.h"

namespace natscope {

/// Takes the lock that `path` stands for (a file, made where it is not there), or nothing when another process holds
/// it. On a file system without locks everybody gets one. Errors: io_failure and other refusals to open the file.
[[nodiscard]] Expected<std::optional<UniqueDescriptor>> try_lock(const std::filesystem::path& path);

/// The same, waiting for whoever holds it. Errors: as try_lock.
[[nodiscard]] Expected<UniqueDescriptor> wait_for_lock(const std::filesystem::path& path);

}  // namespace natscope
