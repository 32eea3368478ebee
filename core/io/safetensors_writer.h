// SPDX-License-Identifier: GPL-3.0-or-later
/// Writing safetensors files: atomic, deterministic, without a second copy of the data in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/expected.h"

namespace natscope {

/// Receives the data of a tensor piece by piece, in order.
using TensorSink = std::function<Expected<void>(std::span<const std::byte>)>;

struct TensorToWrite {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  /// The elements, when they are in memory …
  std::span<const std::byte> data;
  /// … or, when set, a function that hands them over in pieces; all pieces together must have exactly the size that
  /// dtype and shape say. Its error ends the writing, and the target keeps what it held.
  std::function<Expected<void>(const TensorSink&)> produce;
};

/// Writes tensors in the order of their item size (largest first), then of their names, so that every tensor is aligned
/// to its item size; the header is padded with spaces to 8 bytes. Equal input gives equal bytes.
/// Errors: bad_arrays (duplicate or reserved names, sizes that do not fit), and those of write_file_atomically().
[[nodiscard]] Expected<void> write_safetensors(const std::filesystem::path& path,
                                               std::span<const TensorToWrite> tensors,
                                               const std::map<std::string, std::string, std::less<>>& metadata);

}  // namespace natscope
