// SPDX-License-Identifier: GPL-3.0-or-later
/// The safetensors files of a model folder, opened together. Private to core/io.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/expected.h"
#include "core/io/safetensors.h"

namespace natscope {

class WeightFiles {
 public:
  /// `model.safetensors`, or the shards of `model.safetensors.index.json`, or the folder's only safetensors file.
  /// Errors: missing_weights, bad_index, and those of SafetensorsFile::open().
  [[nodiscard]] static Expected<WeightFiles> open_folder(const std::filesystem::path& folder);

  /// One file alone (an adapter's).
  [[nodiscard]] static Expected<WeightFiles> open_file(const std::filesystem::path& path);

  /// nullptr when there is none.
  [[nodiscard]] const TensorInfo* find(std::string_view name) const;

  /// In the order of the files' names.
  [[nodiscard]] const std::vector<SafetensorsFile>& files() const { return files_; }

  [[nodiscard]] std::uint64_t tensor_bytes() const;

  /// Lets the system forget the pages of a tensor's data.
  void release_pages(const TensorInfo& tensor) const;

 private:
  Expected<void> add(const std::filesystem::path& path);

  std::vector<SafetensorsFile> files_;
  std::unordered_map<std::string_view, const TensorInfo*> by_name_;
};

}  // namespace natscope
