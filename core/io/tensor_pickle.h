// SPDX-License-Identifier: GPL-3.0-or-later
/// The pickle inside a torch.save file, as far as a dict of tensors needs it. Private to core/io.
///
/// A pickle is a program for a stack machine that can call anything. This machine knows the opcodes that torch.save
/// writes for `{text: tensor}` (or an OrderedDict of that) in protocol 2 and nothing else; it calls nothing: the three
/// things a program may name (_rebuild_tensor_v2, OrderedDict, a storage class) are values that it recognises. Size,
/// stack, memo and nesting are bounded. Source: Lib/pickletools.py of CPython; torch/_utils.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/expected.h"

namespace natscope {

/// A tensor that is a whole storage, row-major.
struct PickledTensor {
  std::string name;
  DType dtype = DType::f32;
  std::string storage;  ///< digits: the archive's entry "data/<storage>"
  std::int64_t elements = 0;
  std::vector<std::int64_t> shape;
};

/// Larger ones are refused: a tensor takes about 200 bytes.
inline constexpr std::uint64_t max_tensor_pickle_bytes = 4U << 20U;

/// In the order of the dict; names and storages are each there once. Errors: bad_adapter, saying what stands at
/// which byte.
[[nodiscard]] Expected<std::vector<PickledTensor>> read_tensor_pickle(std::string_view pickle);

}  // namespace natscope
