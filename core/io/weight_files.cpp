// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/weight_files.h"

#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/small_file.h"
#include "core/json/json_limits.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

constexpr const char* single_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";
constexpr std::size_t max_shards = 4096;

Unexpected bad_index(const std::string& why) {
  return fail(ErrorCode::bad_index, std::string(index_name) + ": " + why);
}

/// A name that stays in its folder.
bool is_plain_name(std::string_view name) {
  constexpr std::size_t max_name_bytes = 255;
  return !name.empty() && name.size() <= max_name_bytes && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

struct Index {
  std::map<std::string, std::size_t> shards;                ///< in the order of their names, and their place in it
  std::vector<std::pair<std::string, std::string>> places;  ///< tensor, shard
};

Expected<Index> read_index(const fs::path& path) {
  auto json = read_json_file(path);
  if (!json && json.error().code == ErrorCode::bad_json) return fail(ErrorCode::bad_index, json.error().message);
  if (!json) return Unexpected(std::move(json).error());
  if (!json->is_object()) return bad_index("it holds no object");
  const auto map = json->find("weight_map");
  if (map == json->end() || !map->is_object()) return bad_index("weight_map is missing");
  if (map->empty()) return bad_index("weight_map is empty");
  Index index;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) return bad_index("the shard of " + printable(tensor) + " is not a string");
    const auto& name = shard.get_ref<const std::string&>();
    if (!is_plain_name(name)) return bad_index("shard name " + printable(name) + " is not a plain name in the folder");
    if (!name.ends_with(".safetensors")) return bad_index("shard " + printable(name) + " is no safetensors file");
    index.shards.emplace(name, 0);
    index.places.emplace_back(tensor, name);
  }
  if (index.shards.size() > max_shards) return bad_index("more than 4096 shards");
  std::size_t place = 0;
  for (auto& [shard, number] : index.shards) number = place++;
  return index;
}

/// The folder's only safetensors file when it has none of the usual names.
Expected<fs::path> only_file(const fs::path& folder) {
  std::vector<fs::path> found;
  bool has_pickle = false;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const fs::path& path = entry->path();
    const std::string name = path.filename().string();
    if (path.extension() == ".safetensors" && !name.starts_with("adapter")) found.push_back(path);
    has_pickle = has_pickle || path.extension() == ".bin" || path.extension() == ".pth" || path.extension() == ".pt";
  }
  if (failed) return fail(ErrorCode::io_failure, "cannot list " + folder.string() + ": " + failed.message());
  if (found.size() == 1) return found[0];
  if (found.size() > 1) {
    return fail(ErrorCode::missing_weights, folder.string() + " holds several *.safetensors files but no " + index_name,
                "put the index that belongs to them into the folder");
  }
  if (has_pickle) {
    return fail(ErrorCode::missing_weights, folder.string() + " holds pickled weights only, which are never opened",
                "convert them to safetensors");
  }
  return fail(ErrorCode::missing_weights, folder.string() + " holds no *.safetensors file");
}

}  // namespace

Expected<void> WeightFiles::add(const fs::path& path) {
  NATSCOPE_TRY(auto file, SafetensorsFile::open(path));
  for (const TensorInfo& tensor : file.tensors()) {
    if (!by_name_.emplace(tensor.name, &tensor).second) {
      return bad_index("tensor " + printable(tensor.name) + " stands in more than one shard");
    }
  }
  files_.push_back(std::move(file));
  return {};
}

Expected<WeightFiles> WeightFiles::open_file(const fs::path& path) {
  WeightFiles weights;
  NATSCOPE_CHECK(weights.add(path));
  return weights;
}

Expected<WeightFiles> WeightFiles::open_folder(const fs::path& folder) {
  if (path_exists(folder / single_name)) return open_file(folder / single_name);
  if (!path_exists(folder / index_name)) {
    NATSCOPE_TRY(const fs::path path, only_file(folder));
    return open_file(path);
  }
  NATSCOPE_TRY(const Index index, read_index(folder / index_name));
  WeightFiles weights;
  for (const auto& [shard, number] : index.shards) {
    if (!path_exists(folder / shard)) return bad_index("shard " + printable(shard) + " is not in the folder");
    NATSCOPE_CHECK(weights.add(folder / shard));
  }
  for (const auto& [tensor, shard] : index.places) {
    if (weights.files_[index.shards.at(shard)].find(tensor) == nullptr) {
      return bad_index("tensor " + printable(tensor) + " is not in shard " + printable(shard));
    }
  }
  return weights;
}

const TensorInfo* WeightFiles::find(std::string_view name) const {
  const auto place = by_name_.find(name);
  return place == by_name_.end() ? nullptr : place->second;
}

std::uint64_t WeightFiles::tensor_bytes() const {
  std::uint64_t bytes = 0;
  for (const SafetensorsFile& file : files_) {
    for (const TensorInfo& tensor : file.tensors()) bytes += tensor.data.size();
  }
  return bytes;
}

void WeightFiles::release_pages(const TensorInfo& tensor) const {
  for (const SafetensorsFile& file : files_) {
    const auto all = file.file_bytes();
    const std::less<> before;
    const bool is_inside =
        !before(tensor.data.data(), all.data()) && before(tensor.data.data(), all.data() + all.size());
    if (is_inside) file.release_pages(tensor.data);
  }
}

}  // namespace natscope
