// SPDX-License-Identifier: GPL-3.0-or-later
/// The one way in which this program writes a file: whole, or not at all.
///
/// A temporary file in the same folder is filled with complete writes, synced, renamed over the target, and the folder
/// is synced. After any failure, and after a kill at any moment, the target holds its old bytes or the new ones. Where
/// the file system can, it has no name until it is synced; else a kill may leave one, named `.NAME.XXXXXX.tmp`.
///
/// Errors: file_not_found (no such folder), not_a_regular_file (the target is a folder, device or pipe), disk_full,
/// io_failure (a target that is write-protected, among others), and whatever `fill` returns. A symbolic link as target
/// is followed, so the file behind it is replaced. Threads: different targets may be written at the same time; of two
/// writers of one target the last rename wins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

/// The open temporary file, handed to the function that fills it. Sequential writes only; small ones are gathered.
class AtomicFile {
 public:
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Writes all of it or fails; a failure may also show at a later call. Errors: disk_full, io_failure.
  [[nodiscard]] Expected<void> write(std::span<const std::byte> bytes);
  [[nodiscard]] Expected<void> write(std::string_view text);

 private:
  friend class FileInWriting;
  AtomicFile(int descriptor, std::filesystem::path target) : descriptor_(descriptor), target_(std::move(target)) {}

  Expected<void> write_through(std::span<const std::byte> bytes);
  Expected<void> flush();

  int descriptor_;
  std::filesystem::path target_;
  std::vector<std::byte> gathered_;
};

[[nodiscard]] Expected<void> write_file_atomically(const std::filesystem::path& path,
                                                   const std::function<Expected<void>(AtomicFile&)>& fill);
[[nodiscard]] Expected<void> write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
[[nodiscard]] Expected<void> write_file_atomically(const std::filesystem::path& path, std::string_view text);

struct FileToWrite {
  std::filesystem::path path;
  std::function<Expected<void>(AtomicFile&)> fill;
};

/// Files that mean something together only: all are complete, and on the disk, before the first one takes its place.
/// Then they take it in their order. A failure before that leaves every target as it was.
[[nodiscard]] Expected<void> write_files_atomically(const std::vector<FileToWrite>& files);

/// Removes the temporary files of all writers in this process, whose writes then fail, and temporary folders with all
/// that is in them: for a program that is about to end without unwinding. Any thread, but no signal handler.
void abandon_unfinished_files();

/// Names a folder that this process fills and removes itself, for abandon_unfinished_files(); and takes the name back.
void add_temporary_folder(const std::filesystem::path& folder);
void forget_temporary_folder(const std::filesystem::path& folder);

/// Whether `path` can be a target at all: its folder exists and may be written, and it is no folder, device or pipe.
/// For long work, which should fail before it starts rather than at its end. Errors as above.
[[nodiscard]] Expected<void> check_writable_target(const std::filesystem::path& path);

/// Makes the entries of a folder durable (fsync), as after a rename. Errors: io_failure, file_not_found.
[[nodiscard]] Expected<void> sync_folder(const std::filesystem::path& folder);

}  // namespace natscope
