// SPDX-License-Identifier: GPL-3.0-or-later
/// A dict of tensors that torch.save wrote (*.pth, *.pt), read without LibTorch and without running anything.
///
///     NATSCOPE_TRY(const auto tensors, read_torch_archive("adapter_weights.pth"));
///
/// Such a file is a zip of stored (never compressed) entries under one folder name: `data.pkl`, a pickle that names the
/// tensors, and one `data/<number>` for each storage. Everything must fit: entries once and known, sizes those of the
/// tensors, every storage the whole of one row-major tensor, little-endian. What else a pickle can say is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/expected.h"

namespace natscope {

struct TorchTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;  ///< row-major
  std::vector<std::byte> data;      ///< little-endian elements
};

/// In the order of the dict. Memory: at most the file's size. Errors: bad_adapter, file_not_found,
/// not_a_regular_file, io_failure, out_of_memory.
[[nodiscard]] Expected<std::vector<TorchTensor>> read_torch_archive(const std::filesystem::path& path);

}  // namespace natscope
