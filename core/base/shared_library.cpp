// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/shared_library.h"

#include <dlfcn.h>

#include <string>

namespace natscope {

namespace {

/// Why the last call of this thread failed, as the system says it.
Unexpected unavailable(const std::string& name) {
  const char* const why = ::dlerror();
  return fail(ErrorCode::device_unavailable, why != nullptr ? why : name);
}

}  // namespace

Expected<SharedLibrary> SharedLibrary::open(const std::filesystem::path& path, Symbols symbols) {
  const int scope = symbols == Symbols::global ? RTLD_GLOBAL : RTLD_LOCAL;
  void* const handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_NODELETE | scope);
  if (handle == nullptr) return unavailable(path.string());
  return SharedLibrary(handle);
}

Expected<void*> SharedLibrary::address_of(const char* name) const {
  void* const address = ::dlsym(handle_, name);
  if (address == nullptr) return unavailable(name);
  return address;
}

}  // namespace natscope
