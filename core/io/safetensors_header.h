// SPDX-License-Identifier: GPL-3.0-or-later
/// The header of a safetensors file, private to core/io.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/io/safetensors.h"

namespace natscope {

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  ///< in the order of their names; data points into the file's bytes
  std::map<std::string, std::string, std::less<>> metadata;
};

/// Reads and checks the header of a whole file. `what` names the file in messages. Errors: bad_safetensors.
[[nodiscard]] Expected<SafetensorsHeader> read_safetensors_header(std::span<const std::byte> file,
                                                                  const std::string& what);

}  // namespace natscope
