// SPDX-License-Identifier: GPL-3.0-or-later
/// Statistics of roles that stand in a tensor. Private to core/train.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/train/roles/role_statistics.h"

namespace natscope::train {

/// Adds the first `segments` of roles u8 [B, K, T], packed, of any device, to sums [K]: of each the first `length`
/// tokens (count_segment says which). From a GPU only the sums come.
void count_roles(const at::Tensor& roles, std::int64_t segments, std::int64_t length, std::int64_t window,
                 HeadRoles* sums);

/// The same sums by operations of the tensor's device, i64 [K, 4]: G, L, S, held.
[[nodiscard]] at::Tensor role_sums(const at::Tensor& roles, std::int64_t segments, std::int64_t length,
                                   std::int64_t window);

}  // namespace natscope::train
