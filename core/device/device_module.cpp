// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/device/device_module.h"

#include <string>
#include <system_error>
#include <utility>

#include "core/base/program_folder.h"
#include "core/base/shared_library.h"
#include "core/cache/kernel_status.h"
#include "core/device/device_memory.h"

namespace natscope {

namespace {

constexpr const char* on_the_cpu = "use --device cpu";

/// An absolute path: a bare name would be looked for wherever the system's loader likes.
std::filesystem::path file_of(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!path.empty()) return std::filesystem::absolute(path, ignored);
  return program_module("libnatscope_cuda.so");
}

Unexpected unavailable(std::string message, const char* hint = on_the_cpu) {
  return fail(ErrorCode::device_unavailable, std::move(message), hint);
}

bool is_whole(const kernels::DeviceOperations& table) {
  return table.open && table.close && table.allocate && table.free && table.upload && table.download &&
         table.allocate_pinned && table.free_pinned && table.wait && table.set_mark && table.wait_mark &&
         table.begin_aside && table.end_aside && table.join_aside && table.stream && table.rms_norm &&
         table.turn_heads && table.swiglu && table.round_to_bf16 && table.linear && table.token_products &&
         table.token_heads && table.assign_roles && table.create_cache && table.free_cache && table.reset_cache &&
         table.reserve_cache && table.append && table.append_token && table.keep_by_scores && table.drop_entries &&
         table.read_scores && table.end_appends && table.cache_counts && table.attention && table.begin_recording &&
         table.end_recording && table.free_recording && table.is_current && table.replay &&
         table.attention_train_fits && table.attention_train_forward && table.attention_train_backward;
}

}  // namespace

bool DeviceModule::is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(file_of(path), ignored);
}

Expected<std::unique_ptr<DeviceModule>> DeviceModule::open(const std::filesystem::path& path) {
  const std::filesystem::path whole = file_of(path);
  if (!is_there(path)) {
    return unavailable("this build has no GPU backend: " + whole.string() + " is not there",
                       "use --device cpu, or build with the cuda preset");
  }
  const auto library = SharedLibrary::open(whole);
  if (!library) return unavailable("the GPU backend cannot be loaded: " + library.error().message);
  const auto entry = library->function<const kernels::DeviceOperations*()>(kernels::device_entry_point);
  const kernels::DeviceOperations* const table = entry ? (*entry)() : nullptr;
  if (table == nullptr) return unavailable(whole.string() + " is no GPU backend of this program");
  // The version is looked at before anything else of the table: all else may lie elsewhere in another version.
  if (table->abi_version != kernels::device_abi_version || table->size_bytes != sizeof(kernels::DeviceOperations) ||
      !is_whole(*table)) {
    return unavailable("the GPU backend has version " + std::to_string(table->abi_version) + ", this program needs " +
                           std::to_string(kernels::device_abi_version),
                       "install program and backend of the same release");
  }
  std::unique_ptr<DeviceModule> module(new DeviceModule());
  if (const kernels::Status status = table->open(&module->device_, &module->description_); !status.ok()) {
    if (status.code == kernels::StatusCode::out_of_memory)
      return fail(ErrorCode::out_of_memory, status.detail, on_the_cpu);
    return unavailable(std::string("no GPU can be used: ") + status.detail);
  }
  module->operations_ = table;
  return module;
}

DeviceModule::~DeviceModule() {
  if (operations_ != nullptr) operations_->close(device_);
}

DeviceArray::DeviceArray(DeviceArray&& other) noexcept
    : module_(other.module_),
      memory_(std::exchange(other.memory_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

Expected<void> DeviceArray::reserve(std::int64_t size_bytes) {
  if (size_bytes <= size_bytes_) return {};
  release();
  const auto allocate = [&] { return module_->operations().allocate(module_->device(), size_bytes, &memory_); };
  NATSCOPE_CHECK(from_status(with_idle_memory(*module_, allocate), "allocation"));
  size_bytes_ = size_bytes;
  return {};
}

Expected<void> DeviceArray::upload(const void* from, std::int64_t size_bytes) {
  if (size_bytes == 0) return {};
  NATSCOPE_CHECK(reserve(size_bytes));
  return from_status(module_->operations().upload(module_->device(), memory_, from, size_bytes), "copy to the GPU");
}

void DeviceArray::release() {
  if (memory_ != nullptr) module_->operations().free(module_->device(), std::exchange(memory_, nullptr));
  size_bytes_ = 0;
}

PinnedArray::~PinnedArray() {
  if (memory_ != nullptr) module_->operations().free_pinned(module_->device(), memory_);
}

Expected<void> PinnedArray::reserve(std::int64_t size_bytes) {
  if (size_bytes <= size_bytes_) return {};
  if (memory_ != nullptr) module_->operations().free_pinned(module_->device(), std::exchange(memory_, nullptr));
  size_bytes_ = 0;
  NATSCOPE_CHECK(
      from_status(module_->operations().allocate_pinned(module_->device(), size_bytes, &memory_), "allocation"));
  size_bytes_ = size_bytes;
  return {};
}

}  // namespace natscope
