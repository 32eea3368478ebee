// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/atomic_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <system_error>

#include "core/base/system_error.h"
#include "core/base/unique_descriptor.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t gather_bytes = std::size_t{256} << 10;

struct Target {
  fs::path file;  ///< symbolic links resolved
  fs::path folder;
  std::optional<mode_t> old_mode;  ///< permissions of the file that is replaced
};

Expected<Target> resolve(const fs::path& path) {
  const auto refuse = [&](const std::string& why) {
    return fail(ErrorCode::not_a_regular_file, "cannot write " + path.string() + ": " + why,
                "give the path of a plain file");
  };
  if (path.native().find('\0') != std::string::npos) return refuse("the path holds a zero byte");
  if (path.filename().empty() || path.filename() == "." || path.filename() == "..") return refuse("it names a folder");
  std::error_code failed;
  const fs::path absolute = fs::absolute(path, failed).lexically_normal();
  // /dev/stdout and its like may even stand for a plain file, which must not be replaced under whoever holds it open.
  for (const char* const place : {"/dev/", "/proc/", "/sys/"}) {
    if (absolute.native().starts_with(place) && !absolute.native().starts_with("/dev/shm/")) {
      return refuse("it is not kept on a disk");
    }
  }

  Target target{path, {}, std::nullopt};
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    if (S_ISLNK(info.st_mode)) {
      target.file = fs::canonical(path, failed);
      if (failed) return Unexpected(system_error(failed.value(), "follow the link", path));
      if (::stat(target.file.c_str(), &info) != 0) return Unexpected(system_error(errno, "write", path));
    }
    if (S_ISDIR(info.st_mode)) return refuse("it is a folder");
    if (!S_ISREG(info.st_mode)) return refuse("it is a device, pipe or socket");
    target.old_mode = info.st_mode & 07777;
    // A rename would replace it all the same.
    if (::faccessat(AT_FDCWD, target.file.c_str(), W_OK, AT_EACCESS) != 0 && errno == EACCES) {
      return fail(ErrorCode::io_failure, "cannot write " + path.string() + ": it is write-protected",
                  "take its protection away (chmod u+w), or write to another file");
    }
  } else if (errno != ENOENT) {
    return Unexpected(system_error(errno, "write", path));
  }
  target.folder = target.file.parent_path();
  if (target.folder.empty()) target.folder = ".";
  struct stat of_folder {};
  const bool is_sticky = ::stat(target.folder.c_str(), &of_folder) == 0 && (of_folder.st_mode & S_ISVTX) != 0;
  const uid_t user = ::geteuid();
  if (target.old_mode && is_sticky && user != 0 && user != info.st_uid && user != of_folder.st_uid) {
    return fail(ErrorCode::io_failure,
                "cannot write " + path.string() + ": in this folder another user's file cannot be replaced",
                "write to another file");
  }
  return target;
}

/// A new file for the target, which disappears again unless it takes its place. Where the file system can do so it has
/// no name until then (O_TMPFILE), so that not even a kill leaves it behind.
struct TemporaryFile {
  fs::path path;  ///< empty: it has none yet
  UniqueDescriptor descriptor;
  bool keep = false;
  bool abandoned = false;

  TemporaryFile() = default;
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();
};

/// Temporary files and folders that exist now, for abandon_unfinished_files(). Guards names and the flag of the files.
class Unfinished {
 public:
  static Unfinished& all() {
    static Unfinished files;
    return files;
  }

  void add(TemporaryFile& file) {
    const std::scoped_lock lock(mutex_);
    files_.insert(&file);
  }
  void forget(TemporaryFile& file) {
    const std::scoped_lock lock(mutex_);
    files_.erase(&file);
  }
  void add(const fs::path& folder) {
    const std::scoped_lock lock(mutex_);
    folders_.insert(folder);
  }
  void forget(const fs::path& folder) {
    const std::scoped_lock lock(mutex_);
    folders_.erase(folder);
  }
  /// Calls `give`, which names the file, unless it was abandoned. Errors: interrupted, those of `give`.
  Expected<void> name(TemporaryFile& file, const std::function<Expected<void>()>& give) {
    const std::scoped_lock lock(mutex_);
    if (file.abandoned) return fail(ErrorCode::interrupted, "stopped before the file was written");
    return give();
  }
  void remove() {
    const std::scoped_lock lock(mutex_);
    for (TemporaryFile* const file : files_) {
      file->abandoned = true;
      if (!file->path.empty()) ::unlink(file->path.c_str());
    }
    for (const fs::path& folder : folders_) {
      std::error_code left;
      // A folder may be written to meanwhile, until what is written to is gone.
      for (int attempt = 0; attempt < 3; ++attempt) {
        fs::remove_all(folder, left);
        if (!left) break;
      }
    }
  }

 private:
  std::mutex mutex_;
  std::set<TemporaryFile*> files_;
  std::set<fs::path> folders_;
};

TemporaryFile::~TemporaryFile() {
  Unfinished::all().forget(*this);
  if (!path.empty() && !keep) ::unlink(path.c_str());
}

std::string random_suffix() {
  std::array<unsigned char, 12> bytes{};
  // Without the system's randomness O_EXCL still keeps two writers apart, so a weak name is no hazard.
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    bytes[0] = static_cast<unsigned char>(::getpid());
  }
  std::string text;
  for (const unsigned char byte : bytes) text += "abcdefghijklmnopqrstuvwxyz234567"[byte % 32];
  return text;
}

/// Tries free names beside the target with `make`, which returns a negative number and sets errno where it fails.
Expected<void> find_name(const Target& target, TemporaryFile& temporary, const std::function<int(const char*)>& make) {
  constexpr int attempts = 16;
  constexpr std::size_t max_stem_bytes = 200;  // names end at 255 bytes
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::string stem = target.file.filename().string().substr(0, max_stem_bytes);
    fs::path path = target.folder / ("." + stem + "." + random_suffix() + ".tmp");
    if (make(path.c_str()) >= 0) {
      temporary.path = std::move(path);
      return {};
    }
    if (errno == EEXIST) continue;
    if (errno == ENOENT || errno == ENOTDIR) {
      return fail(ErrorCode::file_not_found,
                  "cannot write " + target.file.string() + ": there is no folder " + target.folder.string(),
                  "create the folder first");
    }
    return Unexpected(system_error(errno, "write", target.file));
  }
  return fail(ErrorCode::io_failure, "cannot find a free temporary name beside " + target.file.string());
}

/// How a file without a name is named to linkat().
std::string descriptor_path(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

Expected<void> create(const Target& target, TemporaryFile& temporary) {
  UniqueDescriptor unnamed(::open(target.folder.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666));
  if (unnamed.is_open() && ::access(descriptor_path(unnamed.get()).c_str(), F_OK) == 0) {
    temporary.descriptor = std::move(unnamed);
    Unfinished::all().add(temporary);
    return {};
  }
  Unfinished::all().add(temporary);
  return Unfinished::all().name(temporary, [&] {
    return find_name(target, temporary, [&](const char* path) {
      temporary.descriptor = UniqueDescriptor(::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
      return temporary.descriptor.get();
    });
  });
}

/// A name for a file that has none: what has one can take the place of another.
Expected<void> give_name(const Target& target, TemporaryFile& temporary) {
  const std::string from = descriptor_path(temporary.descriptor.get());
  return Unfinished::all().name(temporary, [&] {
    return find_name(target, temporary, [&](const char* path) {
      return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path, AT_SYMLINK_FOLLOW);
    });
  });
}

Expected<void> sync_open_folder(int descriptor, const fs::path& folder) {
  // EINVAL: a file system that has no such operation keeps its own promises.
  if (::fsync(descriptor) != 0 && errno != EINVAL) return Unexpected(system_error(errno, "write", folder));
  return {};
}

}  // namespace

Expected<void> AtomicFile::write_through(std::span<const std::byte> bytes) {
  constexpr std::size_t max_write_bytes = std::size_t{1} << 30;
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), std::min(bytes.size(), max_write_bytes));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return Unexpected(system_error(errno, "write", target_));
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

Expected<void> AtomicFile::flush() {
  NATSCOPE_CHECK(write_through(gathered_));
  gathered_.clear();
  return {};
}

Expected<void> AtomicFile::write(std::span<const std::byte> bytes) {
  if (gathered_.size() + bytes.size() > gather_bytes) NATSCOPE_CHECK(flush());
  if (bytes.size() > gather_bytes) return write_through(bytes);
  gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
  return {};
}

Expected<void> AtomicFile::write(std::string_view text) {
  return write(std::as_bytes(std::span(text.data(), text.size())));
}

/// One file on its way: filled and synced under its temporary name, then given its own.
class FileInWriting {
 public:
  Expected<void> fill(const FileToWrite& wanted) {
    NATSCOPE_TRY(target_, resolve(wanted.path));
    NATSCOPE_CHECK(create(target_, temporary_));
    NATSCOPE_CHECK(open_folder());
    const int descriptor = temporary_.descriptor.get();
    AtomicFile file(descriptor, target_.file);
    NATSCOPE_CHECK(wanted.fill(file));
    NATSCOPE_CHECK(file.flush());
    if (target_.old_mode && ::fchmod(descriptor, *target_.old_mode) != 0) return failed("keep the permissions of");
    if (::fsync(descriptor) != 0) return failed("write");
    // Without a name it is there for as long as it is open.
    if (!temporary_.path.empty() && temporary_.descriptor.close() != 0) return failed("write");
    return {};
  }

  /// The last thing that may well fail.
  Expected<void> take_name() { return temporary_.path.empty() ? give_name(target_, temporary_) : Expected<void>(); }

  Expected<void> take_place() {
    if (::rename(temporary_.path.c_str(), target_.file.c_str()) != 0) return failed("replace");
    temporary_.keep = true;
    return {};
  }

  Expected<void> sync() {
    return folder_.is_open() ? sync_open_folder(folder_.get(), target_.folder) : Expected<void>();
  }

 private:
  /// Before anything is replaced. A folder that may be written to and not be read has no descriptor to sync.
  Expected<void> open_folder() {
    folder_ = UniqueDescriptor(::open(target_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder_.is_open() || errno == EACCES) return {};
    return Unexpected(system_error(errno, "open the folder", target_.folder));
  }

  [[nodiscard]] Unexpected failed(const char* doing) const {
    return Unexpected(system_error(errno, doing, target_.file));
  }

  Target target_;
  TemporaryFile temporary_;
  UniqueDescriptor folder_;
};

Expected<void> write_files_atomically(const std::vector<FileToWrite>& files) {
  std::vector<FileInWriting> writing(files.size());
  for (std::size_t i = 0; i < files.size(); ++i) NATSCOPE_CHECK(writing[i].fill(files[i]));
  for (FileInWriting& file : writing) NATSCOPE_CHECK(file.take_name());
  for (FileInWriting& file : writing) NATSCOPE_CHECK(file.take_place());
  for (FileInWriting& file : writing) NATSCOPE_CHECK(file.sync());
  return {};
}

Expected<void> write_file_atomically(const fs::path& path, const std::function<Expected<void>(AtomicFile&)>& fill) {
  return write_files_atomically({{path, fill}});
}

void abandon_unfinished_files() { Unfinished::all().remove(); }
void add_temporary_folder(const fs::path& folder) { Unfinished::all().add(folder); }
void forget_temporary_folder(const fs::path& folder) { Unfinished::all().forget(folder); }

Expected<void> write_file_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  return write_file_atomically(path, [&](AtomicFile& file) { return file.write(bytes); });
}

Expected<void> write_file_atomically(const fs::path& path, std::string_view text) {
  return write_file_atomically(path, [&](AtomicFile& file) { return file.write(text); });
}

Expected<void> check_writable_target(const fs::path& path) {
  NATSCOPE_TRY(const Target target, resolve(path));
  // The only honest way to know is to do it: permissions, read-only mounts and full disks all answer here.
  TemporaryFile temporary;
  return create(target, temporary);
}

Expected<void> sync_folder(const fs::path& folder) {
  const UniqueDescriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.is_open()) return Unexpected(system_error(errno, "open the folder", folder));
  return sync_open_folder(descriptor.get(), folder);
}

}  // namespace natscope
