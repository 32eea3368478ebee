// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/checkpoints/checkpoint_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/mapped_file.h"
#include "core/base/sha256.h"
#include "core/json/json_limits.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* listed_files[] = {checkpoint_files::weights, checkpoint_files::moments, checkpoint_files::state};

/// A checkpoint's file, or what a kill left of the writing of one (atomic_file.h).
bool is_of_a_checkpoint(const std::string& name) {
  const auto is_for = [&](const std::string& file) {
    return name == file || (name.starts_with("." + file + ".") && name.ends_with(".tmp"));
  };
  return is_for(checkpoint_files::manifest) || std::ranges::any_of(listed_files, is_for);
}

/// Whether another try may do better: then a file that could not be read is no broken one.
bool is_of_the_machine(ErrorCode code) { return code == ErrorCode::io_failure || code == ErrorCode::out_of_memory; }

Expected<json> manifest_entry(const fs::path& path) {
  NATSCOPE_TRY(const MappedFile file, MappedFile::open(path));
  return json{{"name", path.filename().string()}, {"bytes", file.bytes().size()}, {"sha256", sha256_hex(file.bytes())}};
}

}  // namespace

bool is_only_a_checkpoint(const fs::path& folder) {
  std::error_code problem;
  if (fs::symlink_status(folder, problem).type() != fs::file_type::directory) return false;
  fs::directory_iterator entry(folder, problem);
  for (; !problem && entry != fs::directory_iterator(); entry.increment(problem)) {
    const bool is_file = entry->symlink_status(problem).type() == fs::file_type::regular;
    if (!is_file || !is_of_a_checkpoint(entry->path().filename().string())) return false;
  }
  return !problem;
}

Expected<void> write_manifest(const fs::path& checkpoint) {
  json files = json::array();
  for (const char* const name : listed_files) {
    NATSCOPE_TRY(json entry, manifest_entry(checkpoint / name));
    files.push_back(std::move(entry));
  }
  return write_file_atomically(checkpoint / checkpoint_files::manifest,
                               json{{"version", 1}, {"files", files}}.dump(2) + "\n");
}

Expected<void> VerifiedCheckpoints::verify(const fs::path& checkpoint) {
  const auto broken = [&](const std::string& what) {
    return fail(ErrorCode::bad_checkpoint, printable(checkpoint.string()) + ": " + what,
                "remove this folder to go back to the checkpoint before it");
  };
  // Before they are read: what changes meanwhile is read again.
  auto stamps = stamps_of(checkpoint);
  const auto known = whole_.find(checkpoint);
  if (known != whole_.end() && !stamps.empty() && known->second == stamps) return {};
  auto manifest = read_json_file((checkpoint / checkpoint_files::manifest).string());
  if (!manifest && is_of_the_machine(manifest.error().code)) return Unexpected(std::move(manifest).error());
  if (!manifest) return broken("no readable manifest.json");
  const auto files = manifest->find("files");
  if (files == manifest->end() || !files->is_array()) return broken("manifest.json lists no files");
  for (const char* const name : listed_files) {
    auto real = manifest_entry(checkpoint / name);
    if (!real && is_of_the_machine(real.error().code)) return Unexpected(std::move(real).error());
    if (!real) return broken(std::string(name) + " cannot be read");
    if (std::find(files->begin(), files->end(), *real) == files->end()) {
      return broken(std::string(name) + " differs from its entry in manifest.json");
    }
  }
  whole_[checkpoint] = std::move(stamps);
  return {};
}

void VerifiedCheckpoints::remember(const fs::path& checkpoint) { whole_[checkpoint] = stamps_of(checkpoint); }

std::vector<VerifiedCheckpoints::Stamp> VerifiedCheckpoints::stamps_of(const fs::path& checkpoint) {
  std::vector<Stamp> stamps;
  for (const char* const name :
       {checkpoint_files::weights, checkpoint_files::moments, checkpoint_files::state, checkpoint_files::manifest}) {
    struct stat info {};
    if (::stat((checkpoint / name).c_str(), &info) != 0) return {};
    stamps.push_back({info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size), info.st_mtim.tv_sec,
                      info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec});
  }
  return stamps;
}

}  // namespace natscope::train
