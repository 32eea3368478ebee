// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/safetensors_header.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "core/base/checked_math.h"
#include "core/json/json_limits.h"

namespace natscope {
namespace {

using Json = nlohmann::json;

constexpr std::size_t length_bytes = 8;
constexpr std::size_t max_header_bytes = std::size_t{64} << 20;
constexpr std::size_t max_header_depth = 4;
constexpr std::size_t max_rank = 32;
constexpr const char* metadata_key = "__metadata__";

std::uint64_t little_endian_u64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = length_bytes; i-- > 0;) value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

struct Checker {
  const std::string& what;
  std::span<const std::byte> data;

  [[nodiscard]] Unexpected refuse(const std::string& why) const {
    return fail(ErrorCode::bad_safetensors, what + ": " + why);
  }

  [[nodiscard]] Unexpected refuse_tensor(const std::string& name, const std::string& why) const {
    return refuse("tensor " + printable(name) + ": " + why);
  }

  [[nodiscard]] Expected<std::map<std::string, std::string, std::less<>>> metadata(const Json& block) const {
    if (!block.is_object()) return refuse("__metadata__ is no map");
    std::map<std::string, std::string, std::less<>> result;
    for (const auto& [key, value] : block.items()) {
      if (!value.is_string()) return refuse("__metadata__ value of " + printable(key) + " is not a string");
      result.emplace(key, value.get<std::string>());
    }
    return result;
  }

  [[nodiscard]] Expected<TensorInfo> tensor(const std::string& name, const Json& entry) const {
    if (!entry.is_object()) return refuse_tensor(name, "its entry is not an object");
    const auto dtype_entry = entry.find("dtype");
    const auto shape_entry = entry.find("shape");
    const auto range_entry = entry.find("data_offsets");
    if (dtype_entry == entry.end() || !dtype_entry->is_string()) return refuse_tensor(name, "no dtype");
    if (shape_entry == entry.end() || !shape_entry->is_array()) return refuse_tensor(name, "no shape");
    if (range_entry == entry.end() || !range_entry->is_array() || range_entry->size() != 2) {
      return refuse_tensor(name, "no data_offsets of two numbers");
    }

    TensorInfo info;
    info.name = name;
    const auto dtype = dtype_from_name(dtype_entry->get_ref<const std::string&>());
    if (!dtype) {
      return refuse_tensor(name, "unknown dtype " + printable(dtype_entry->get_ref<const std::string&>(), 40));
    }
    info.dtype = *dtype;

    if (shape_entry->size() > max_rank) return refuse_tensor(name, "too many dimensions");
    for (const Json& size : *shape_entry) {
      if (!size.is_number_unsigned() || size.get<std::uint64_t>() > std::uint64_t{INT64_MAX}) {
        return refuse_tensor(name, "a size in its shape is not a natural number");
      }
      info.shape.push_back(size.get<std::int64_t>());
    }

    const Json& begin_entry = (*range_entry)[0];
    const Json& end_entry = (*range_entry)[1];
    if (!begin_entry.is_number_unsigned() || !end_entry.is_number_unsigned()) {
      return refuse_tensor(name, "its data_offsets are not natural numbers");
    }
    const auto begin = begin_entry.get<std::uint64_t>();
    const auto end = end_entry.get<std::uint64_t>();
    if (begin > end) return refuse_tensor(name, "its data ends before it begins");
    if (end > data.size()) {
      return refuse_tensor(name, "its data ends at byte " + std::to_string(end) + " of " + std::to_string(data.size()) +
                                     " that the file holds");
    }
    const auto wanted = checked_product(info.shape, item_bytes(info.dtype));
    if (!wanted || *wanted != end - begin) {
      return refuse_tensor(name, "shape " + shape_text(info.shape) + " of " + natscope::name(info.dtype) +
                                     " does not take the " + std::to_string(end - begin) + " bytes of its range");
    }
    info.data = data.subspan(begin, end - begin);
    return info;
  }

  /// Ranges, in file order, must follow each other without overlap or hole and fill the file.
  [[nodiscard]] Expected<void> ranges(const std::vector<TensorInfo>& tensors) const {
    std::vector<const TensorInfo*> by_offset;
    by_offset.reserve(tensors.size());
    for (const TensorInfo& tensor : tensors) by_offset.push_back(&tensor);
    const auto begin_of = [&](const TensorInfo& tensor) {
      return static_cast<std::size_t>(tensor.data.data() - data.data());
    };
    std::sort(by_offset.begin(), by_offset.end(), [&](const TensorInfo* a, const TensorInfo* b) {
      const auto key = [&](const TensorInfo* t) { return std::pair(begin_of(*t), t->data.size()); };
      return key(a) < key(b);
    });
    std::size_t at = 0;
    const TensorInfo* behind_hole = nullptr;
    for (const TensorInfo* const tensor : by_offset) {
      const std::size_t begin = begin_of(*tensor);
      if (begin < at) return refuse_tensor(tensor->name, "its data overlaps another tensor's");
      if (begin > at && behind_hole == nullptr) behind_hole = tensor;
      at = begin + tensor->data.size();
    }
    // Last: a range that was shifted over another one leaves a hole, too.
    if (behind_hole != nullptr) return refuse_tensor(behind_hole->name, "unused bytes before its data");
    if (at != data.size()) return refuse("unused bytes after the last tensor");
    return {};
  }
};

}  // namespace

Expected<SafetensorsHeader> read_safetensors_header(std::span<const std::byte> file, const std::string& what) {
  const Checker length_checker{what, {}};
  // A text taken for one would otherwise be told of a header of astronomical length.
  if (file.size() <= length_bytes || std::to_integer<char>(file[length_bytes]) != '{') {
    return fail(ErrorCode::bad_safetensors, what + ": this is no safetensors file",
                "check that this is the file you meant");
  }
  const std::uint64_t header_bytes = little_endian_u64(file);
  if (header_bytes > file.size() - length_bytes) {
    return length_checker.refuse("the header's length, " + std::to_string(header_bytes) + ", is over the file's");
  }
  if (header_bytes > max_header_bytes) return length_checker.refuse("the header is larger than 64 MiB");

  const auto header_span = file.subspan(length_bytes, header_bytes);
  const std::string_view text(reinterpret_cast<const char*>(header_span.data()), header_span.size());
  if (text.empty()) return length_checker.refuse("the header is empty");
  auto parsed = parse_json(text, {.max_bytes = max_header_bytes, .max_depth = max_header_depth}, "header");
  if (!parsed) return length_checker.refuse(parsed.error().message);

  const Checker checker{what, file.subspan(length_bytes + header_bytes)};
  SafetensorsHeader header;
  for (const auto& [name, entry] : parsed->items()) {
    if (name == metadata_key) {
      NATSCOPE_TRY(header.metadata, checker.metadata(entry));
    } else {
      NATSCOPE_TRY(auto info, checker.tensor(name, entry));
      header.tensors.push_back(std::move(info));
    }
  }
  NATSCOPE_CHECK(checker.ranges(header.tensors));
  return header;
}

}  // namespace natscope
