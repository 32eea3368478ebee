// SPDX-License-Identifier: GPL-3.0-or-later
// Ends a program with a sentence when the folder that it was started in is gone. LibTorch's libraries, set up before
// main(), look for themselves from there; they would end it with one of their own, about a library that is in its place.
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace {

constexpr char error_line[] =
    "error: file-not-found: the folder that this was started in is not there any more; start it from another one\n";
constexpr int bad_input = 3;

void check_working_folder() {
  char path[PATH_MAX];
  if (::getcwd(path, sizeof path) != nullptr || errno != ENOENT) return;
  // Where that cannot be written, the exit code alone must say it.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, error_line, sizeof error_line - 1);
  ::_exit(bad_input);
}

// What stands here is called before any library's own constructors.
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_libraries)() = check_working_folder;

}  // namespace
