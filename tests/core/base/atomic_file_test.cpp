// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/atomic_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;
using test::read_bytes;
using test::TemporaryFolder;
using test::write_bytes;

TEST_CASE("a file is written whole, in any pieces") {
  const TemporaryFolder folder;
  std::string content;
  REQUIRE(write_file_atomically(folder / "file", [&](AtomicFile& file) -> Expected<void> {
    for (const std::size_t size : {0, 1, 1000, 300'000, 7, 262'144, 262'143, 3}) {
      const std::string piece(size, static_cast<char>('a' + content.size() % 26));
      NATSCOPE_CHECK(file.write(std::string_view(piece)));
      content += piece;
    }
    return {};
  }));
  CHECK(read_bytes(folder / "file") == content);
  REQUIRE(write_file_atomically(folder / "file", std::string_view("new")));
  CHECK(read_bytes(folder / "file") == "new");
  REQUIRE(write_file_atomically(folder / "empty", std::string_view()));
  CHECK(read_bytes(folder / "empty").empty());
  CHECK(folder.names() == std::vector<std::string>{"empty", "file"});
}

TEST_CASE("a failure leaves the old file and nothing beside it") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "old");
  const auto failing = [](AtomicFile& file) -> Expected<void> {
    NATSCOPE_CHECK(file.write(std::string_view("half")));
    return fail(ErrorCode::interrupted, "stopped");
  };
  CHECK(write_file_atomically(folder / "file", failing).error().code == ErrorCode::interrupted);
  CHECK_THROWS(static_cast<void>(write_file_atomically(
      folder / "file", [](AtomicFile&) -> Expected<void> { throw std::runtime_error("defect"); })));
  CHECK(read_bytes(folder / "file") == "old");
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("files that belong together are all written, or none") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old a");
  const auto text = [](std::string_view words) { return [words](AtomicFile& file) { return file.write(words); }; };
  const auto failing = [](AtomicFile& file) -> Expected<void> {
    NATSCOPE_CHECK(file.write("half"));
    return fail(ErrorCode::interrupted, "stopped");
  };
  CHECK_FALSE(write_files_atomically({{folder / "a", text("new a")}, {folder / "b", failing}}));
  CHECK(folder.names() == std::vector<std::string>{"a"});
  CHECK(read_bytes(folder / "a") == "old a");
  CHECK_FALSE(write_files_atomically({{folder / "a", text("new a")}, {folder / "none/b", text("b")}}));
  CHECK(folder.names() == std::vector<std::string>{"a"});
  REQUIRE(write_files_atomically({{folder / "a", text("new a")}, {folder / "b", text("b")}}));
  CHECK(read_bytes(folder / "a") == "new a");
  CHECK(read_bytes(folder / "b") == "b");
  CHECK(folder.names() == std::vector<std::string>{"a", "b"});
}

/// As a user who is not root, of whom nothing is protected.
class OrdinaryUser {
 public:
  OrdinaryUser() : is_root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~OrdinaryUser() {
    if (is_root_) REQUIRE(::seteuid(0) == 0);
  }

 private:
  bool is_root_;
};

TEST_CASE("a write-protected file is not replaced, and a folder that cannot be read can be written to") {
  const TemporaryFolder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  const OrdinaryUser user;
  const fs::path kept = folder / "kept", box = folder / "box";
  write_bytes(kept, "result");
  REQUIRE(::chmod(kept.c_str(), 0444) == 0);
  for (const auto& refused : {write_file_atomically(kept, std::string_view("new")), check_writable_target(kept)}) {
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::io_failure);
    CHECK(refused.error().message.find("write-protected") != std::string::npos);
  }
  CHECK(read_bytes(kept) == "result");

  fs::create_directory(box);
  write_bytes(box / "a", "old");
  REQUIRE(::chmod(box.c_str(), 0300) == 0);
  CHECK(write_file_atomically(box / "a", std::string_view("new")));
  REQUIRE(::chmod(box.c_str(), 0700) == 0);
  CHECK(read_bytes(box / "a") == "new");
}

TEST_CASE("another user's file in a folder like /tmp is refused before there is work for it") {
  if (::geteuid() != 0) {
    MESSAGE("not run: only root makes another user's file");
    return;
  }
  const TemporaryFolder folder;
  REQUIRE(::chmod(folder.path().c_str(), 01777) == 0);
  write_bytes(folder / "theirs", "result");
  REQUIRE(::chmod((folder / "theirs").c_str(), 0666) == 0);
  const OrdinaryUser user;
  const auto refused = check_writable_target(folder / "theirs");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("another user's file") != std::string::npos);
  CHECK(check_writable_target(folder / "mine"));
}

TEST_CASE("without a descriptor for the folder nothing is replaced") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(next);
  const rlimit one_more{static_cast<rlim_t>(next) + 1, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &one_more) == 0);
  const auto written = write_file_atomically(folder / "a", std::string_view("new"));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(written);
  CHECK(read_bytes(folder / "a") == "old");
}

TEST_CASE("what is abandoned half written is gone, and its writer fails") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  const auto written = write_file_atomically(folder / "a", [&](AtomicFile& file) -> Expected<void> {
    NATSCOPE_CHECK(file.write("new"));
    abandon_unfinished_files();
    CHECK(folder.names() == std::vector<std::string>{"a"});
    return {};
  });
  CHECK_FALSE(written);
  CHECK(read_bytes(folder / "a") == "old");
  REQUIRE(write_file_atomically(folder / "a", std::string_view("newer")));
  CHECK(read_bytes(folder / "a") == "newer");
}

TEST_CASE("a writer that is killed leaves the old file and nothing beside it") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "old");
  const int unnamed = ::open(folder.path().c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
  if (unnamed < 0) {
    MESSAGE("not run: this file system has only files with names");
    return;
  }
  ::close(unnamed);
  const pid_t child = ::fork();
  if (child == 0) {
    static_cast<void>(write_file_atomically(folder / "file", [](AtomicFile& file) -> Expected<void> {
      NATSCOPE_CHECK(file.write(std::string(1'000'000, 'x')));
      ::raise(SIGKILL);
      return {};
    }));
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(read_bytes(folder / "file") == "old");
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("targets that cannot be files are refused before anything is written") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  fs::create_directory(folder / "sub");
  fs::create_symlink("nowhere", folder / "dangling");
  write_bytes(folder / "file", "old");
  const auto before = folder.names();

  struct Case {
    fs::path path;
    ErrorCode code;
  };
  for (const Case& bad :
       {Case{folder / "sub", ErrorCode::not_a_regular_file},
        Case{(folder / "sub").string() + "/", ErrorCode::not_a_regular_file},
        Case{folder / ".", ErrorCode::not_a_regular_file}, Case{folder / "pipe", ErrorCode::not_a_regular_file},
        Case{"/dev/null", ErrorCode::not_a_regular_file}, Case{"/dev/stdout", ErrorCode::not_a_regular_file},
        Case{"/dev/full", ErrorCode::not_a_regular_file}, Case{"/proc/self/fd/1", ErrorCode::not_a_regular_file},
        Case{"", ErrorCode::not_a_regular_file}, Case{std::string("a\0b", 3), ErrorCode::not_a_regular_file},
        Case{folder / "dangling", ErrorCode::file_not_found}, Case{folder / "none/file", ErrorCode::file_not_found},
        Case{folder / "file/below", ErrorCode::file_not_found},
        Case{folder / std::string(300, 'a'), ErrorCode::io_failure}}) {
    CAPTURE(bad.path.string());
    const auto written = write_file_atomically(bad.path, std::string_view("new"));
    REQUIRE_FALSE(written);
    CHECK(std::string(name(written.error().code)) == name(bad.code));
    const auto checked = check_writable_target(bad.path);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == bad.code);
  }
  CHECK(folder.names() == before);
  CHECK(check_writable_target(folder / "new"));
  CHECK(folder.names() == before);
}

TEST_CASE("links are followed, permissions kept, long names possible") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "old");
  REQUIRE(::chmod((folder / "file").c_str(), 0640) == 0);
  fs::create_symlink("file", folder / "link");
  REQUIRE(write_file_atomically(folder / "link", std::string_view("new")));
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(read_bytes(folder / "file") == "new");
  struct stat info {};
  REQUIRE(::stat((folder / "file").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
  REQUIRE(write_file_atomically(folder / std::string(250, 'n'), std::string_view("x")));
}

TEST_CASE("a file over the process's limit fails and leaves the old one") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto written = write_file_atomically(folder / "file", std::string_view(std::string(1 << 20, 'x')));
    ::_exit(!written && written.error().code == ErrorCode::io_failure ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(read_bytes(folder / "file") == "old");
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("a kill at any moment leaves the old file or the new one") {
  constexpr int wanted_kills = 100;  // that came before the child was done
  constexpr int most_rounds = 2000;
  constexpr std::size_t size = 700'000;
  constexpr unsigned seed = 20240611;
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  const TemporaryFolder folder;
  const std::string old_content(size, 'o');
  const std::string new_content(size + 1, 'n');
  int saw_new = 0;
  int kills = 0;
  for (int round = 0; round < most_rounds && kills < wanted_kills; ++round) {
    write_bytes(folder / "file", old_content);
    const pid_t child = ::fork();
    if (child == 0) {
      // Pieces below the gathering size, so that there are many moments to be killed in.
      const auto written = write_file_atomically(folder / "file", [&](AtomicFile& file) -> Expected<void> {
        for (std::size_t at = 0; at < new_content.size(); at += 1000) {
          NATSCOPE_CHECK(file.write(std::string_view(new_content).substr(at, 1000)));
        }
        return {};
      });
      ::_exit(written ? 0 : 1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    kills += WIFSIGNALED(status) ? 1 : 0;
    const std::string found = read_bytes(folder / "file");
    const bool is_old = found == old_content;
    const bool is_new = found == new_content;
    REQUIRE((is_old || is_new));
    saw_new += is_new ? 1 : 0;
  }
  CHECK(kills == wanted_kills);
  MESSAGE(kills << " kills, the new file found " << saw_new << " times");
}

}  // namespace
}  // namespace natscope
