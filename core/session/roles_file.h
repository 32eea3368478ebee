// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>

#include "core/base/expected.h"
#include "core/cache/role_plan.h"

namespace natscope {

/// Reads `roles` U8 [layers, kv_heads, T] of a safetensors file; a trace is one, too. Values are checked here, the
/// sizes against a model by RoleDecider::create. Errors: those of SafetensorsFile::open, bad_roles,
/// out_of_memory.
[[nodiscard]] Expected<RoleArray> read_roles_file(const std::filesystem::path& path);

}  // namespace natscope
