// SPDX-License-Identifier: GPL-3.0-or-later
/// The files of one checkpoint, and whether they are whole. checkpoint.h says what is in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "core/base/expected.h"

namespace natscope::train {

namespace checkpoint_files {
inline constexpr const char* weights = "weights.safetensors";
inline constexpr const char* moments = "optimizer.safetensors";
inline constexpr const char* state = "state.json";
inline constexpr const char* manifest = "manifest.json";
}  // namespace checkpoint_files

/// Whether a folder holds a checkpoint's files and nothing else, be they damaged or some of them missing: only such a
/// one is ever removed, whatever its name.
[[nodiscard]] bool is_only_a_checkpoint(const std::filesystem::path& folder);

/// The last file of a checkpoint: name, size and SHA-256 of each of the others. Errors: those of files.
[[nodiscard]] Expected<void> write_manifest(const std::filesystem::path& checkpoint);

/// Holds checkpoints against their manifests, and remembers which were whole: what a process wrote or verified itself
/// is hashed again only where size, time or inode of a file is another one. One thread.
class VerifiedCheckpoints {
 public:
  /// Errors: bad_checkpoint.
  [[nodiscard]] Expected<void> verify(const std::filesystem::path& checkpoint);
  /// Of one that this process just wrote, with the manifest made of it.
  void remember(const std::filesystem::path& checkpoint);

 private:
  struct Stamp {
    std::uint64_t device = 0, inode = 0, size_bytes = 0;
    std::int64_t modified_s = 0, modified_ns = 0, changed_s = 0, changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  /// Of its four files; empty where one is missing.
  [[nodiscard]] static std::vector<Stamp> stamps_of(const std::filesystem::path& checkpoint);

  std::map<std::filesystem::path, std::vector<Stamp>> whole_;
};

}  // namespace natscope::train
