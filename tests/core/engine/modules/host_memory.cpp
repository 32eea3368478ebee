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

void deliver(HostDevice& host, std::int64_t until) {
  for (; host.delivered < until; ++host.delivered) {
    const Download& download = host.pending.front();
    std::memcpy(download.to, download.bytes.data(), download.bytes.size());
    host.pending.pop_front();
  }
}

std::int64_t issued(const HostDevice& host) { return host.delivered + static_cast<std::int64_t>(host.pending.size()); }

Status upload_now(void* device, void* to, const void* from_host, std::int64_t size_bytes) {
  if (size_bytes < 1 || !owns(device, to, size_bytes) || owns(device, from_host, size_bytes)) return foreign;
  std::memcpy(to, from_host, static_cast<std::size_t>(size_bytes));
  return ok;
}

Status download_now(void* device, void* to_host, const void* from, std::int64_t size_bytes) {
  if (size_bytes < 1 || !owns(device, from, size_bytes) || owns(device, to_host, size_bytes)) return foreign;
  downloaded_bytes += size_bytes;
  const char* const bytes = static_cast<const char*>(from);
  of(device).pending.push_back({to_host, std::vector<char>(bytes, bytes + size_bytes)});
  std::memset(to_host, 0xff, static_cast<std::size_t>(size_bytes));
  return ok;
}

}  // namespace

bool owns(void* device, const void* data, std::int64_t size_bytes) {
  return holds(of(device).memory, data, size_bytes);
}

bool owns(void* device, const float* data, std::int64_t size) {
  return owns(device, static_cast<const void*>(data), size * std::int64_t{sizeof(float)});
}

Status open(void** device, kernels::DeviceDescription* description) {
  auto opened = std::make_unique<HostDevice>();
  if (const char* limit = std::getenv("NATSCOPE_TEST_DEVICE_BYTES")) opened->limit_bytes = std::atoll(limit);
  if (std::getenv("NATSCOPE_TEST_NO_DEVICE") != nullptr)
    return {StatusCode::backend_unavailable, "no such device here"};
  std::strcpy(description->name, "host");
  description->memory_bytes = description->free_bytes = opened->limit_bytes;
  *device = opened.release();
  return ok;
}

void close(void* device) {
  if (!of(device).memory.empty() || !of(device).pinned.empty()) std::abort();  // a leak
  delete static_cast<HostDevice*>(device);
}

bool is_short_of_memory(void* device) {
  if (std::getenv("NATSCOPE_TEST_IDLE_MEMORY") == nullptr) return false;
  return !std::exchange(of(device).was_waited_for, false);
}

Status allocate(void* device, std::int64_t size_bytes, void** memory) {
  HostDevice& host = of(device);
  if (is_short_of_memory(device)) return {StatusCode::out_of_memory, "device memory is idle elsewhere"};
  if (size_bytes < 1) return {StatusCode::invalid_argument, "a size below 1"};
  if (host.used_bytes + size_bytes > host.limit_bytes) return {StatusCode::out_of_memory, "device memory"};
  char* const data =
      static_cast<char*>(std::aligned_alloc(256, static_cast<std::size_t>((size_bytes + 255) / 256 * 256)));
  std::memset(data, 0xff, static_cast<std::size_t>(size_bytes));  // NaN, in f32 and in bf16
  host.memory.emplace(data, size_bytes);
  host.used_bytes += size_bytes;
  *memory = data;
  return ok;
}

void free(void* device, void* memory) {
  HostDevice& host = of(device);
  const auto piece = host.memory.find(static_cast<const char*>(memory));
  if (piece == host.memory.end()) std::abort();
  host.used_bytes -= piece->second;
  host.memory.erase(piece);
  std::free(memory);
}

Status upload(void* device, void* to, const void* from_host, std::int64_t size_bytes) {
  if (recording_of(device) != nullptr && !holds(of(device).pinned, from_host, size_bytes)) return foreign;
  return Recordable<upload_now, recording_of>::call(device, to, from_host, size_bytes);
}

Status download(void* device, void* to_host, const void* from, std::int64_t size_bytes) {
  if (recording_of(device) != nullptr && !holds(of(device).pinned, to_host, size_bytes)) return foreign;
  return Recordable<download_now, recording_of>::call(device, to_host, from, size_bytes);
}

Status wait(void* device) {
  ++waits;
  of(device).was_waited_for = true;
  deliver(of(device), issued(of(device)));
  return ok;
}

Status set_mark(void* device, std::int32_t mark) {
  if (mark < 0 || mark >= kernels::device_mark_count) return {StatusCode::invalid_argument, "no such mark"};
  of(device).marks[static_cast<std::size_t>(mark)] = issued(of(device));
  return ok;
}

Status wait_mark(void* device, std::int32_t mark) {
  if (mark < 0 || mark >= kernels::device_mark_count) return {StatusCode::invalid_argument, "no such mark"};
  deliver(of(device), of(device).marks[static_cast<std::size_t>(mark)]);
  return ok;
}

void* stream(void* device) { return std::getenv("NATSCOPE_TEST_DEVICE_STREAM") != nullptr ? device : nullptr; }

Status allocate_pinned(void* device, std::int64_t size_bytes, void** memory) {
  if (size_bytes < 1) return {StatusCode::invalid_argument, "a size below 1"};
  *memory = std::malloc(static_cast<std::size_t>(size_bytes));
  of(device).pinned.emplace(static_cast<const char*>(*memory), size_bytes);
  return ok;
}

void free_pinned(void* device, void* memory) {
  deliver(of(device), issued(of(device)));
  if (of(device).pinned.erase(static_cast<const char*>(memory)) != 1) std::abort();
  std::free(memory);
}

std::int64_t waits_so_far() { return waits; }
std::int64_t downloaded_bytes_so_far() { return downloaded_bytes; }

}  // namespace natscope::test::host
