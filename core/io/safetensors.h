// SPDX-License-Identifier: GPL-3.0-or-later
/// Reading safetensors files (https://github.com/huggingface/safetensors), memory-mapped and fully checked.
///
/// Views exist only after every check: the header lies in the file and within the JSON limits, every tensor's range
/// lies in the file, ranges neither overlap nor leave holes, sizes equal shape times item size without overflow, names
/// are unique, `__metadata__` is a map of strings. Data need not be aligned: the format does not promise it.
///
/// Errors of open(): bad_safetensors, file_not_found, not_a_regular_file, io_failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/expected.h"

namespace natscope {

/// One tensor of an open file. `data` is valid as long as the SafetensorsFile, or a copy of it, lives.
struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;  ///< row-major; [] is a scalar
  std::span<const std::byte> data;  ///< little-endian elements, possibly unaligned

  [[nodiscard]] std::int64_t elements() const;
};

/// Cheap to copy: copies share the mapping. Immutable, so any thread may read.
class SafetensorsFile {
 public:
  [[nodiscard]] static Expected<SafetensorsFile> open(const std::filesystem::path& path);

  /// nullptr when there is none.
  [[nodiscard]] const TensorInfo* find(std::string_view name) const;

  /// In the order of their names.
  [[nodiscard]] const std::vector<TensorInfo>& tensors() const;

  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& metadata() const;

  [[nodiscard]] const std::filesystem::path& path() const;

  /// The whole file, header included: what a checksum is taken over.
  [[nodiscard]] std::span<const std::byte> file_bytes() const;

  /// Lets the system forget the pages inside `part` of the file (they are read again when touched).
  void release_pages(std::span<const std::byte> part) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// The elements of `tensor`, copied into aligned memory. Errors: bad_arrays when the dtype is another. T is one of
/// float, double, std::int64_t, std::int32_t, std::uint8_t.
template <class T>
[[nodiscard]] Expected<std::vector<T>> tensor_values(const TensorInfo& tensor);

/// "[2, 3]" for messages.
[[nodiscard]] std::string shape_text(std::span<const std::int64_t> shape);

}  // namespace natscope
