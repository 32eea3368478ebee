// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/device_training.h"

#include <dlfcn.h>

#include <string>
#include <system_error>
#include <utility>

namespace natscope {

void DeviceTrainingModule::CloseLibrary::operator()(void* library) const { dlclose(library); }

Expected<DeviceTrainingModule> DeviceTrainingModule::open(const std::filesystem::path& path) {
  // An absolute path: a bare name would be looked for wherever the system's loader likes.
  std::error_code ignored;
  const std::filesystem::path whole =
      !path.empty()
          ? std::filesystem::absolute(path, ignored)
          : std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "libnatscope_cuda_bench.so";
  const auto unavailable = [](std::string message) {
    return fail(ErrorCode::device_unavailable, std::move(message), "use --backend cpu, or build with the cuda preset");
  };
  if (!std::filesystem::exists(whole, ignored))
    return unavailable("this build has no kernels for a GPU: " + whole.string() + " is not there");
  DeviceTrainingModule module;
  module.library_.reset(dlopen(whole.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!module.library_) {
    const char* const why = dlerror();
    return unavailable("the GPU's kernels cannot be loaded: " + std::string(why != nullptr ? why : whole.string()));
  }
  using Entry = const kernels::DeviceTraining* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(module.library_.get(), kernels::device_training_entry_point));
  module.table_ = entry != nullptr ? entry() : nullptr;
  if (module.table_ == nullptr || module.table_->abi_version != kernels::device_training_abi_version ||
      module.table_->size_bytes != sizeof(kernels::DeviceTraining)) {
    return unavailable(whole.string() + " does not belong to this version of the program");
  }
  return module;
}

}  // namespace natscope
