// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "core/device/device_module.h"
#include "core/engine/passes/chunk_attention.h"
#include "core/model/config.h"

namespace natscope {

/// LibTorch's flash attention over dense keys and values in bf16, those of a layer in one piece each, of
/// `config.context` tokens. On a device whose memory is the host's (tests): the same by the formula.
///
/// Before it is handed out it computes a small case with more keys than queries and fewer KV heads than heads, and is
/// held to the formula: LibTorch documents nowhere which keys its "causal" covers then.
///
/// The module must outlive the result. Errors: device_unavailable (as load_torch_cuda), out_of_memory, internal
/// (LibTorch refuses the shape, or attends to other keys).
[[nodiscard]] Expected<std::unique_ptr<ChunkAttention>> open_flash_attention(const DeviceModule& module,
                                                                             const ModelConfig& config,
                                                                             const CacheGeometry& geometry);

}  // namespace natscope
