// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/shared_library.h"

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::TemporaryFolder;
using test::write_bytes;

bool says(const Error& error, const std::string& part) { return error.message.find(part) != std::string::npos; }

TEST_CASE("a library opens by its name, and its functions stay when the object is gone") {
  double (*cosine)(double) = nullptr;
  {
    const auto library = SharedLibrary::open("libm.so.6");
    REQUIRE(library);
    const auto found = library->function<double(double)>("cos");
    REQUIRE(found);
    cosine = *found;
  }
  CHECK(cosine(0) == 1.0);
}

TEST_CASE("a function that is not there is named") {
  const auto library = SharedLibrary::open("libm.so.6", SharedLibrary::Symbols::global);
  REQUIRE(library);
  const auto missing = library->function<void()>("natscope_no_such_function");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::device_unavailable);
  CHECK(says(missing.error(), "natscope_no_such_function"));
}

TEST_CASE("what is no library is refused by its path") {
  const TemporaryFolder folder;
  write_bytes(folder / "text.so", "no library");
  for (const char* name : {"text.so", "not-there.so"}) {
    const auto library = SharedLibrary::open(folder / name);
    REQUIRE_FALSE(library);
    CHECK(library.error().code == ErrorCode::device_unavailable);
    CHECK(says(library.error(), (folder / name).string()));
  }
  const auto unknown = SharedLibrary::open("libnatscope-not-there.so.7");
  REQUIRE_FALSE(unknown);
  CHECK(says(unknown.error(), "libnatscope-not-there.so.7"));
}

}  // namespace
}  // namespace natscope
