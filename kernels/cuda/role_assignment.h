// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/prescribed_role.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

/// Roles of the next n tokens of a layer, on the device.
namespace natscope::kernels::cuda {

/// By what is known before the pass, and where that is by_scores by the model's scores: argmax(scores +
/// [global_bias, 0, 0]), ties to the lowest index.
///   prescribed, roles [kv_heads, n]
///   scores            [n, 3 · kv_heads] f32, column 3 · k + o for KV head k and option o in the order G, L, S, columns
///                     dense; data null when every role is prescribed
/// Errors: shape_mismatch. Source: the rules, sections 2 and 3.
Status assign_prescribed_roles(ConstView<Role, 2> prescribed, ConstView<float, 2> scores, float global_bias,
                               View<Role, 2> roles, Stream stream);

}  // namespace natscope::kernels::cuda
