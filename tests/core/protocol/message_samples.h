// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/protocol/messages.h"

namespace natscope::test {

/// A frame that uses every field, of a model with `heads` pairs of layer and KV head.
[[nodiscard]] TokenFrame sample_frame(std::int32_t position, std::size_t heads, bool has_scores);

/// One message of every type, no field at its default.
[[nodiscard]] std::vector<Message> sample_messages();

}  // namespace natscope::test
