// SPDX-License-Identifier: GPL-3.0-or-later
/// Element types of stored arrays.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace natscope {

enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean, f8_e4m3, f8_e5m2 };

/// Bytes of one element.
[[nodiscard]] std::size_t item_bytes(DType dtype);

/// The name that safetensors uses: "F32", "BF16", "BOOL", …
[[nodiscard]] const char* name(DType dtype);

[[nodiscard]] std::optional<DType> dtype_from_name(std::string_view name);

/// f32, bf16 or f16: what weights may be stored in.
[[nodiscard]] bool is_weight_dtype(DType dtype);

}  // namespace natscope
