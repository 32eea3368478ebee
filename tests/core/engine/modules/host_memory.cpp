// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/engine/modules/host_memory.h"

#include <cstdlib>
#include <cstring>
#include <utility>

namespace natscope::test::host {

using kernels::StatusCode;

namespace {

std::int64_t waits = 0;
std::int64_t downloaded_bytes = 0;

bool holds(const std::map<const char*, std::int64_t>& memory, const void* data, std::int64_t size_bytes) {
  const char* const at = static_cast<const char*>(data);
  auto piece = memory.upper_bound(at);
  if (piece == memory.begin()) return false;
  --piece;
  return at + size_bytes <= piece->first + piece->second;
}

void deliver(OpenedDevice& host, std::int64_t until) {
  for (; host.delivered < until; ++host.delivered) {
    const Download& download = host.pending.front();
    std::memcpy(download.to, download.bytes.data(), download.bytes.size());
    host.pending.pop_front();
  }
}

std::int64_t issued(const OpenedDevice& host) {
  return host.delivered + static_cast<std::int64_t>(host.pending.size());
}

Status upload_now(OpenedDevice* device, void* to, const void* from_host, std::int64_t size_bytes) {
  if (size_bytes < 1 || !owns(device, to, size_bytes) || owns(device, from_host, size_bytes)) return foreign;
  std::memcpy(to, from_host, static_cast<std::size_t>(size_bytes));
  return ok;
}

Status download_now(OpenedDevice* device, void* to_host, const void* from, std::int64_t size_bytes) {
  if (size_bytes < 1 || !owns(device, from, size_bytes) || owns(device, to_host, size_bytes)) return foreign;
  downloaded_bytes += size_bytes;
  const char* const bytes = static_cast<const char*>(from);
  device->pending.push_back({to_host, std::vector<char>(bytes, bytes + size_bytes)});
  std::memset(to_host, 0xff, static_cast<std::size_t>(size_bytes));
  return ok;
}

}  // namespace

bool owns(OpenedDevice* device, const void* data, std::int64_t size_bytes) {
  return holds(device->memory, data, size_bytes);
}

bool owns(OpenedDevice* device, const float* data, std::int64_t size) {
  return owns(device, static_cast<const void*>(data), size * std::int64_t{sizeof(float)});
}

Status open(OpenedDevice** device, kernels::DeviceDescription* description) {
  auto opened = std::make_unique<OpenedDevice>();
  if (const char* limit = std::getenv("NATSCOPE_TEST_DEVICE_BYTES")) opened->limit_bytes = std::atoll(limit);
  if (std::getenv("NATSCOPE_TEST_NO_DEVICE") != nullptr)
    return {StatusCode::backend_unavailable, "no such device here"};
  std::strcpy(description->name, "host");
  description->memory_bytes = description->free_bytes = opened->limit_bytes;
  *device = opened.release();
  return ok;
}

void close(OpenedDevice* device) {
  if (!device->memory.empty() || !device->pinned.empty()) std::abort();  // a leak
  delete device;
}

bool is_short_of_memory(OpenedDevice* device) {
  if (std::getenv("NATSCOPE_TEST_IDLE_MEMORY") == nullptr) return false;
  return !std::exchange(device->was_waited_for, false);
}

Status allocate(OpenedDevice* device, std::int64_t size_bytes, void** memory) {
  if (is_short_of_memory(device)) return {StatusCode::out_of_memory, "device memory is idle elsewhere"};
  if (size_bytes < 1) return {StatusCode::invalid_argument, "a size below 1"};
  if (device->used_bytes + size_bytes > device->limit_bytes) return {StatusCode::out_of_memory, "device memory"};
  char* const data =
      static_cast<char*>(std::aligned_alloc(256, static_cast<std::size_t>((size_bytes + 255) / 256 * 256)));
  std::memset(data, 0xff, static_cast<std::size_t>(size_bytes));  // NaN, in f32 and in bf16
  device->memory.emplace(data, size_bytes);
  device->used_bytes += size_bytes;
  *memory = data;
  return ok;
}

void free(OpenedDevice* device, void* memory) {
  const auto piece = device->memory.find(static_cast<const char*>(memory));
  if (piece == device->memory.end()) std::abort();
  device->used_bytes -= piece->second;
  device->memory.erase(piece);
  std::free(memory);
}

Status upload(OpenedDevice* device, void* to, const void* from_host, std::int64_t size_bytes) {
  if (recording_of(device) != nullptr && !holds(device->pinned, from_host, size_bytes)) return foreign;
  return Recordable<upload_now, recording_of>::call(device, to, from_host, size_bytes);
}

Status download(OpenedDevice* device, void* to_host, const void* from, std::int64_t size_bytes) {
  if (recording_of(device) != nullptr && !holds(device->pinned, to_host, size_bytes)) return foreign;
  return Recordable<download_now, recording_of>::call(device, to_host, from, size_bytes);
}

Status wait(OpenedDevice* device) {
  ++waits;
  device->was_waited_for = true;
  deliver(*device, issued(*device));
  return ok;
}

Status set_mark(OpenedDevice* device, std::int32_t mark) {
  if (mark < 0 || mark >= kernels::device_mark_count) return {StatusCode::invalid_argument, "no such mark"};
  device->marks[static_cast<std::size_t>(mark)] = issued(*device);
  return ok;
}

Status wait_mark(OpenedDevice* device, std::int32_t mark) {
  if (mark < 0 || mark >= kernels::device_mark_count) return {StatusCode::invalid_argument, "no such mark"};
  deliver(*device, device->marks[static_cast<std::size_t>(mark)]);
  return ok;
}

void* stream(OpenedDevice* device) { return std::getenv("NATSCOPE_TEST_DEVICE_STREAM") != nullptr ? device : nullptr; }

Status allocate_pinned(OpenedDevice* device, std::int64_t size_bytes, void** memory) {
  if (size_bytes < 1) return {StatusCode::invalid_argument, "a size below 1"};
  *memory = std::malloc(static_cast<std::size_t>(size_bytes));
  device->pinned.emplace(static_cast<const char*>(*memory), size_bytes);
  return ok;
}

void free_pinned(OpenedDevice* device, void* memory) {
  deliver(*device, issued(*device));
  if (device->pinned.erase(static_cast<const char*>(memory)) != 1) std::abort();
  std::free(memory);
}

std::int64_t waits_so_far() { return waits; }
std::int64_t downloaded_bytes_so_far() { return downloaded_bytes; }

}  // namespace natscope::test::host
