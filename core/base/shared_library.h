// SPDX-License-Identifier: GPL-3.0-or-later
/// A shared library that is loaded while the program runs, because most machines do not have it.
///
///     NATSCOPE_TRY(const auto library, SharedLibrary::open("libnccl.so.2"));
///     NATSCOPE_TRY(auto* const version, library.function<int(int*)>("ncclGetVersion"));
///
/// What was loaded stays until the process ends: runtimes leave code behind that is called when a thread or the program
/// ends (CUDA's does), and some cannot begin a second time (MPI). So this object is a name for the library, free to
/// copy, and its functions stay valid without it.
///
/// Threads: any. Errors: device_unavailable, with the system's own text, which names the library or the function; a
/// caller puts its own sentence in front.
#pragma once

#include <filesystem>
#include <type_traits>

#include "core/base/expected.h"

namespace natscope {

class SharedLibrary {
 public:
  /// Who finds the library's functions besides the one who opened it.
  enum class Symbols {
    local,  ///< nobody
    global  ///< every library that is loaded afterwards, as the parts of OpenMPI and of LibTorch expect
  };

  /// `path`: a path with a slash is that file; a bare name is looked for where the system's loader looks (the program's
  /// run path, the system's folders), so it must never come from a file. All that the library needs is resolved here.
  [[nodiscard]] static Expected<SharedLibrary> open(const std::filesystem::path& path,
                                                    Symbols symbols = Symbols::local);

  /// The function that the library, or one that it needs, exports under `name`. Nothing checks that it has the type
  /// `Function`.
  template <class Function>
  requires std::is_function_v<Function>
  [[nodiscard]] Expected<Function*> function(const char* name) const {
    NATSCOPE_TRY(void* const address, address_of(name));
    return reinterpret_cast<Function*>(address);
  }

 private:
  explicit SharedLibrary(void* handle) : handle_(handle) {}
  [[nodiscard]] Expected<void*> address_of(const char* name) const;

  void* handle_;
};

}  // namespace natscope
