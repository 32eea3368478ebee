// SPDX-License-Identifier: GPL-3.0-or-later
/// What the host device does to rows of activations: the CPU's loops, after a look at who owns what.
#pragma once

#include <cstdint>

#include "kernels/device_operations.h"

namespace natscope::test::host {

using kernels::OpenedDevice;
using kernels::Status;

Status rms_norm(OpenedDevice* device, const float* x, const float* weight, std::int64_t rows, std::int64_t cols,
                float eps, bool round, float* out);
Status turn_heads(OpenedDevice* device, float* x, const float* norm, const float* cosine, const float* sine,
                  std::int64_t rows, std::int64_t heads, std::int64_t head_dim, std::int64_t rotated, float eps,
                  bool round);
Status swiglu(OpenedDevice* device, float* gate, const float* up, std::int64_t size, bool round);
Status round_to_bf16(OpenedDevice* device, float* x, std::int64_t size);
Status linear(OpenedDevice* device, const float* x, std::int64_t rows, const kernels::LinearRow* product, bool add);
Status assign_roles(OpenedDevice* device, const Role* prescribed, const float* scores, std::int64_t kv_heads,
                    std::int64_t n, float global_bias, Role* roles);
Status token_products(OpenedDevice* device, const kernels::TokenProducts* call);
Status token_heads(OpenedDevice* device, const kernels::TokenHeads* call);

}  // namespace natscope::test::host
