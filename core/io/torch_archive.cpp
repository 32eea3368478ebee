// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/torch_archive.h"

#include <zip.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include "core/base/checked_math.h"
#include "core/base/mapped_file.h"
#include "core/io/tensor_pickle.h"

namespace natscope {
namespace {

constexpr zip_int64_t max_entries = 1 << 17;
constexpr std::string_view storage_folder = "data/";
/// What torch writes beside pickle and storages, and what it may hold at most.
constexpr auto small_entries = std::to_array<std::string_view>(
    {"version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"});
constexpr std::uint64_t max_small_entry_bytes = 4096;

struct ZipCloser {
  void operator()(zip_t* zip) const { zip_discard(zip); }
};
struct ZipFileCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

struct Entry {
  zip_uint64_t index = 0;
  std::uint64_t size_bytes = 0;
};

Unexpected refuse(const std::string& why) {
  return fail(ErrorCode::bad_adapter, why, "download the file again, or save a plain dict of tensors with torch.save");
}

std::string error_text(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

class Archive {
 public:
  /// `file` must outlive the archive.
  Expected<void> open(std::span<const std::byte> file) {
    file_bytes_ = file.size();
    constexpr std::array zip_begin{std::byte{'P'}, std::byte{'K'}, std::byte{3}, std::byte{4}};
    if (file.size() < zip_begin.size() || !std::equal(zip_begin.begin(), zip_begin.end(), file.begin())) {
      return fail(ErrorCode::bad_adapter, "it is no zip archive, as torch.save writes it since torch 1.6",
                  "save the dict of tensors again with a present torch");
    }
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* const source = zip_source_buffer_create(file.data(), file.size(), 0, &error);
    if (source != nullptr) zip_.reset(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error));
    const int code = zip_error_code_zip(&error);
    zip_error_fini(&error);
    if (zip_ == nullptr) {
      if (source != nullptr) zip_source_free(source);
      if (code == ZIP_ER_MEMORY) return fail(ErrorCode::out_of_memory, "the list of the archive's entries");
      return refuse("as a zip archive it is broken: " + error_text(code));
    }
    return list();
  }

  /// By their names without the folder in front.
  [[nodiscard]] const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }

  template <class Bytes>
  Expected<Bytes> read(const std::string& name) const {
    const Entry& entry = entries_.at(name);
    Bytes bytes;
    try {
      bytes.resize(static_cast<std::size_t>(entry.size_bytes));
    } catch (const std::bad_alloc&) {
      return fail(ErrorCode::out_of_memory, std::to_string(entry.size_bytes) + " bytes for " + printable(name));
    }
    const std::unique_ptr<zip_file_t, ZipFileCloser> file(zip_fopen_index(zip_.get(), entry.index, 0));
    if (file == nullptr) return refuse(printable(name) + ": " + zip_strerror(zip_.get()));
    const zip_int64_t got = zip_fread(file.get(), bytes.data(), bytes.size());
    if (got < 0 || static_cast<std::uint64_t>(got) != entry.size_bytes) {
      return refuse(printable(name) + " cannot be read whole: " + zip_file_strerror(file.get()));
    }
    // The checksum is looked at when the end is read.
    char beyond = 0;
    if (zip_fread(file.get(), &beyond, 1) != 0) return refuse(printable(name) + ": its checksum or size is wrong");
    return bytes;
  }

 private:
  Expected<void> list() {
    const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
    if (count > max_entries) return refuse("it has " + std::to_string(count) + " entries");
    std::uint64_t total = 0;
    for (zip_int64_t i = 0; i < count; ++i) {
      zip_stat_t stat;
      const auto index = static_cast<zip_uint64_t>(i);
      constexpr zip_uint64_t needed =
          ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
      if (zip_stat_index(zip_.get(), index, ZIP_FL_ENC_RAW, &stat) != 0 || (stat.valid & needed) != needed) {
        return refuse("entry " + std::to_string(i) + " of the zip archive is broken");
      }
      const std::string_view name = stat.name;
      if (stat.comp_method != ZIP_CM_STORE || stat.encryption_method != ZIP_EM_NONE || stat.comp_size != stat.size) {
        return refuse(printable(name) + " is compressed or encrypted, which torch.save never does");
      }
      // Entries that lay over each other would hold more than the file.
      const auto sum = checked_add(total, stat.size);
      if (!sum || *sum > file_bytes_) return refuse("its entries hold more than the file");
      total = *sum;
      NATSCOPE_CHECK(add(name, {index, stat.size}));
    }
    return {};
  }

  Expected<void> add(std::string_view name, const Entry& entry) {
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos || slash == 0) return refuse(printable(name) + " stands in no folder");
    if (entries_.empty()) folder_ = name.substr(0, slash);
    if (name.substr(0, slash) != folder_) return refuse("its entries stand in more than one folder");
    const std::string rest(name.substr(slash + 1));
    if (!is_known(rest, entry.size_bytes)) {
      return fail(ErrorCode::bad_adapter, "it holds " + printable(name) + ", which no dict of tensors has",
                  "give the file that torch.save wrote for a dict of tensors, no whole program or model");
    }
    if (!entries_.emplace(rest, entry).second) return refuse(printable(name) + " stands in it twice");
    return {};
  }

  static bool is_known(std::string_view name, std::uint64_t size_bytes) {
    if (name == "data.pkl") return size_bytes <= max_tensor_pickle_bytes;
    if (name.starts_with(storage_folder)) {
      name.remove_prefix(storage_folder.size());
      return !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    }
    for (const std::string_view small : small_entries) {
      if (name == small) return size_bytes <= max_small_entry_bytes;
    }
    return false;
  }

  std::unique_ptr<zip_t, ZipCloser> zip_;
  std::uint64_t file_bytes_ = 0;
  std::string folder_;
  std::map<std::string, Entry, std::less<>> entries_;
};

Expected<void> check_byte_order(const Archive& archive) {
  if (!archive.entries().contains("byteorder")) return {};  // before torch 2.1 there was one order only
  NATSCOPE_TRY(const auto order, archive.read<std::string>("byteorder"));
  if (order != "little") return refuse("its byte order is " + printable(order, 40) + ", not little");
  return {};
}

Expected<std::vector<TorchTensor>> read(std::span<const std::byte> file) {
  Archive archive;
  NATSCOPE_CHECK(archive.open(file));
  NATSCOPE_CHECK(check_byte_order(archive));
  if (!archive.entries().contains("data.pkl")) return refuse("it holds no data.pkl");
  NATSCOPE_TRY(const auto pickle, archive.read<std::string>("data.pkl"));
  NATSCOPE_TRY(const auto pickled, read_tensor_pickle(pickle));
  // All sizes first, then memory.
  std::size_t storages = 0;
  for (const auto& [name, entry] : archive.entries()) storages += name.starts_with(storage_folder) ? 1 : 0;
  if (storages != pickled.size()) {
    return refuse("it holds " + std::to_string(storages) + " storages for " + std::to_string(pickled.size()) +
                  " tensors");
  }
  for (const PickledTensor& tensor : pickled) {
    const auto entry = archive.entries().find(std::string(storage_folder) + tensor.storage);
    if (entry == archive.entries().end()) {
      return refuse("the storage of " + printable(tensor.name) + ", data/" + tensor.storage + ", is missing");
    }
    const auto wanted =
        checked_mul(static_cast<std::uint64_t>(tensor.elements), std::uint64_t{item_bytes(tensor.dtype)});
    if (!wanted || entry->second.size_bytes != *wanted) {
      return refuse("data/" + tensor.storage + " has " + std::to_string(entry->second.size_bytes) +
                    " bytes, which is not what tensor " + printable(tensor.name) + " takes");
    }
  }
  std::vector<TorchTensor> tensors;
  for (const PickledTensor& tensor : pickled) {
    NATSCOPE_TRY(auto data, archive.read<std::vector<std::byte>>(std::string(storage_folder) + tensor.storage));
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, std::move(data)});
  }
  return tensors;
}

}  // namespace

Expected<std::vector<TorchTensor>> read_torch_archive(const std::filesystem::path& path) {
  NATSCOPE_TRY(const MappedFile file, MappedFile::open(path));
  auto tensors = read(file.bytes());
  if (!tensors) {
    Error error = std::move(tensors).error();
    error.message = printable(path.string()) + ": " + error.message;
    return Unexpected(std::move(error));
  }
  return tensors;
}

}  // namespace natscope
