// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/mapped_file.h"
#include "core/base/small_file.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::TemporaryFolder;
using test::write_bytes;

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST_CASE("files are mapped and read as they are") {
  const TemporaryFolder folder;
  for (const std::size_t size : {0, 1, 4095, 4096, 4097, 3'000'000}) {
    const std::string content(size, 'n');
    write_bytes(folder / "file", content);
    auto mapped = MappedFile::open(folder / "file");
    REQUIRE(mapped);
    CHECK(text_of(*mapped) == content);
    mapped->release_pages(mapped->bytes());
    const MappedFile moved = std::move(*mapped);
    CHECK(text_of(moved) == content);
    CHECK(mapped->bytes().empty());
    CHECK(read_small_file(folder / "file", size).value() == content);
    if (size > 0) CHECK(read_small_file(folder / "file", size - 1).error().code == ErrorCode::file_too_large);
  }
}

TEST_CASE("what is no regular file is refused at once, named, without waiting") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const int socket_descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder / "socket").c_str(), sizeof(address.sun_path) - 1);
  REQUIRE(::bind(socket_descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  std::filesystem::create_symlink("loop", folder / "loop");
  write_bytes(folder / "file", "x");

  struct Case {
    std::filesystem::path path;
    ErrorCode code;
  };
  for (const Case& bad :
       {Case{folder.path(), ErrorCode::not_a_regular_file}, Case{folder / "pipe", ErrorCode::not_a_regular_file},
        Case{folder / "socket", ErrorCode::not_a_regular_file}, Case{"/dev/null", ErrorCode::not_a_regular_file},
        Case{"/dev/zero", ErrorCode::not_a_regular_file}, Case{folder / "none", ErrorCode::file_not_found},
        Case{folder / "file/below", ErrorCode::file_not_found}, Case{folder / "dangling", ErrorCode::file_not_found},
        Case{folder / "loop", ErrorCode::io_failure}, Case{std::string("a\0b", 3), ErrorCode::file_not_found},
        Case{std::string(5000, 'a'), ErrorCode::io_failure}, Case{"", ErrorCode::file_not_found}}) {
    CAPTURE(bad.path.string());
    const auto mapped = MappedFile::open(bad.path);
    REQUIRE_FALSE(mapped);
    CHECK(std::string(name(mapped.error().code)) == name(bad.code));
    CHECK(read_small_file(bad.path, 100).error().code == bad.code);
  }
  ::close(socket_descriptor);
}

TEST_CASE("a file whose size lies is read within the limit") {
  CHECK(read_small_file("/proc/self/status", 1 << 20).value().find("Name:") == 0);
  CHECK(read_small_file("/proc/self/status", 10).error().code == ErrorCode::file_too_large);
}

}  // namespace
}  // namespace natscope
