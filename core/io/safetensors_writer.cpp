// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/safetensors_writer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/checked_math.h"
#include "core/base/utf8.h"
#include "core/io/safetensors.h"

namespace natscope {
namespace {

using Metadata = std::map<std::string, std::string, std::less<>>;

struct Placed {
  const TensorToWrite* tensor;
  std::uint64_t begin;
  std::uint64_t size_bytes;
};

Unexpected refuse(const TensorToWrite& tensor, const std::string& why) {
  return fail(ErrorCode::bad_arrays, "cannot write tensor " + printable(tensor.name) + ": " + why);
}

Expected<std::vector<Placed>> place(std::span<const TensorToWrite> tensors) {
  std::vector<Placed> placed;
  for (const TensorToWrite& tensor : tensors) {
    if (tensor.name == "__metadata__" || !valid_utf8(tensor.name))
      return refuse(tensor, "its name is reserved or not UTF-8");
    const auto size_bytes = checked_product(tensor.shape, item_bytes(tensor.dtype));
    if (!size_bytes) return refuse(tensor, "its shape has no size");
    if (!tensor.produce && tensor.data.size() != *size_bytes) return refuse(tensor, "its data does not fit its shape");
    placed.push_back({&tensor, 0, *size_bytes});
  }
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    const auto item_a = item_bytes(a.tensor->dtype);
    const auto item_b = item_bytes(b.tensor->dtype);
    return item_a != item_b ? item_a > item_b : a.tensor->name < b.tensor->name;
  });
  std::uint64_t at = 0;
  for (Placed& entry : placed) {
    entry.begin = at;
    const auto end = checked_add(at, entry.size_bytes);
    if (!end) return refuse(*entry.tensor, "the file would be too large");
    at = *end;
  }
  return placed;
}

Expected<std::string> header_text(const std::vector<Placed>& placed, const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    auto& block = header["__metadata__"] = nlohmann::ordered_json::object();
    for (const auto& [key, value] : metadata) {
      if (!valid_utf8(key) || !valid_utf8(value)) {
        return fail(ErrorCode::bad_arrays, "metadata " + printable(key) + " is not UTF-8");
      }
      block[key] = value;
    }
  }
  for (const Placed& entry : placed) {
    if (header.contains(entry.tensor->name)) return refuse(*entry.tensor, "its name stands twice");
    header[entry.tensor->name] = {{"dtype", name(entry.tensor->dtype)},
                                  {"shape", entry.tensor->shape},
                                  {"data_offsets", {entry.begin, entry.begin + entry.size_bytes}}};
  }
  std::string text = header.dump();
  constexpr std::size_t alignment = 8;
  text.resize((text.size() + alignment - 1) / alignment * alignment, ' ');
  return text;
}

Expected<void> write_tensor(AtomicFile& file, const Placed& entry) {
  if (!entry.tensor->produce) return file.write(entry.tensor->data);
  std::uint64_t left = entry.size_bytes;
  NATSCOPE_CHECK(entry.tensor->produce([&](std::span<const std::byte> piece) -> Expected<void> {
    if (piece.size() > left) return refuse(*entry.tensor, "more data than its shape says");
    left -= piece.size();
    return file.write(piece);
  }));
  if (left != 0) return refuse(*entry.tensor, "less data than its shape says");
  return {};
}

}  // namespace

Expected<void> write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                                 const Metadata& metadata) {
  NATSCOPE_TRY(const std::vector<Placed> placed, place(tensors));
  NATSCOPE_TRY(const std::string header, header_text(placed, metadata));
  return write_file_atomically(path, [&](AtomicFile& file) -> Expected<void> {
    std::array<std::byte, 8> length{};
    for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<std::byte>(header.size() >> (8 * i));
    NATSCOPE_CHECK(file.write(length));
    NATSCOPE_CHECK(file.write(std::string_view(header)));
    for (const Placed& entry : placed) NATSCOPE_CHECK(write_tensor(file, entry));
    return {};
  });
}

}  // namespace natscope
