// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/safetensors.h"

#include <algorithm>
#include <cstring>

#include "core/base/mapped_file.h"
#include "core/io/safetensors_header.h"

namespace natscope {

struct SafetensorsFile::State {
  std::filesystem::path path;
  MappedFile file;
  SafetensorsHeader header;
};

std::int64_t TensorInfo::elements() const { return static_cast<std::int64_t>(data.size() / item_bytes(dtype)); }

Expected<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  auto state = std::make_shared<State>();
  state->path = path;
  NATSCOPE_TRY(state->file, MappedFile::open(path));
  NATSCOPE_TRY(state->header, read_safetensors_header(state->file.bytes(), path.string()));
  SafetensorsFile opened;
  opened.state_ = std::move(state);
  return opened;
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto& all = tensors();
  const auto place =
      std::lower_bound(all.begin(), all.end(), name,
                       [](const TensorInfo& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return place != all.end() && place->name == name ? &*place : nullptr;
}

const std::vector<TensorInfo>& SafetensorsFile::tensors() const { return state_->header.tensors; }

const std::map<std::string, std::string, std::less<>>& SafetensorsFile::metadata() const {
  return state_->header.metadata;
}

const std::filesystem::path& SafetensorsFile::path() const { return state_->path; }

std::span<const std::byte> SafetensorsFile::file_bytes() const { return state_->file.bytes(); }

void SafetensorsFile::release_pages(std::span<const std::byte> part) const { state_->file.release_pages(part); }

namespace {

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::u8;
}

}  // namespace

template <class T>
Expected<std::vector<T>> tensor_values(const TensorInfo& tensor) {
  if (tensor.dtype != dtype_of<T>()) {
    return fail(ErrorCode::bad_arrays,
                "tensor " + printable(tensor.name) + " is " + name(tensor.dtype) + ", not " + name(dtype_of<T>()));
  }
  std::vector<T> values(tensor.data.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

template Expected<std::vector<float>> tensor_values(const TensorInfo&);
template Expected<std::vector<double>> tensor_values(const TensorInfo&);
template Expected<std::vector<std::int64_t>> tensor_values(const TensorInfo&);
template Expected<std::vector<std::int32_t>> tensor_values(const TensorInfo&);
template Expected<std::vector<std::uint8_t>> tensor_values(const TensorInfo&);

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

}  // namespace natscope
