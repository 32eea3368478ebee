// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>

#include "kernels/cuda/device.h"
#include "kernels/prescribed_role.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

/// Roles of the next n tokens of a layer, on the device. `first_position`, on the device too, is the position of the
/// first of them (DeviceKvCache::device_next_position): read there, it stays right in a recorded graph.
namespace natscope::kernels::cuda {

/// By the model's scores: argmax(scores + [global_bias, 0, 0]), ties to the lowest index; position 0 is global.
///   scores [n, 3 · kv_heads] f32, column 3 · k + o for KV head k and option o in the order G, L, S, columns dense
///   roles  [kv_heads, n]
/// Errors: shape_mismatch. Source: the rules, sections 2 and 3.
Status assign_learned_roles(ConstView<float, 2> scores, float global_bias, const std::int32_t* first_position,
                            View<Role, 2> roles, Stream stream);

/// By what is known before the pass, and by scores where that is by_scores: needs no position.
///   prescribed, roles [kv_heads, n]
///   scores            [n, 3 · kv_heads] as above; data null when every role is prescribed
/// Errors: shape_mismatch.
Status assign_prescribed_roles(ConstView<Role, 2> prescribed, ConstView<float, 2> scores, float global_bias,
                               View<Role, 2> roles, Stream stream);

/// By position: global before `sinks` and at the `listed` positions, which are on the device and grow; sliding
/// otherwise.
///   full: sinks = no_next_global; window: sinks = 0; streaming: its sinks; longformer: its positions
///   roles [kv_heads, n]
/// Source: the rules, section 11.
Status assign_placed_roles(std::int64_t sinks, std::span<const std::int32_t> listed, const std::int32_t* first_position,
                           View<Role, 2> roles, Stream stream);

}  // namespace natscope::kernels::cuda
