// SPDX-License-Identifier: GPL-3.0-or-later
/// How many tokens fit: the weights' memory is taken, then a cache of the shape is appended to until nothing is left.
#include <string>

#include "app/cli/bench/gpu/gpu_run.h"
#include "app/cli/bench/gpu/role_patterns.h"
#include "core/base/cancel.h"
#include "core/cache/kernel_status.h"
#include "core/device/device_module.h"

namespace natscope::bench {
namespace {

using kernels::ConstView;

struct FreeCache {
  const DeviceModule* module = nullptr;
  void operator()(kernels::DeviceCache* cache) const { module->operations().free_cache(module->device(), cache); }
};

/// One chunk on the device, appended again and again: keys, values and roles are the same each time.
struct Chunk {
  explicit Chunk(const DeviceModule& module) : rows(module), roles(module) {}
  DeviceArray rows;
  DeviceArray roles;
};

Expected<void> upload_chunk(Chunk& chunk, const ModelShape& shape, std::int64_t tokens, double fraction) {
  const std::vector<float> rows(static_cast<std::size_t>(shape.kv_heads * tokens * shape.head_dim()), 0.5F);
  NATSCOPE_CHECK(chunk.rows.upload(rows.data(), static_cast<std::int64_t>(rows.size() * sizeof(float))));
  const RoleArray roles = pattern_roles(RolePattern::independent, 1, shape.kv_heads, tokens, fraction);
  return chunk.roles.upload(roles.roles.data(), static_cast<std::int64_t>(roles.roles.size() * sizeof(Role)));
}

}  // namespace

Expected<std::vector<Row>> longest_context(GpuRun& run, double) {
  const GpuScale& scale = run.scale;
  const ModelShape& shape = scale.large;
  NATSCOPE_TRY(const auto module, DeviceModule::open(run.context.device_module));
  const kernels::DeviceOperations& device = module->operations();
  kernels::OpenedDevice* const handle = module->device();
  const std::int64_t weights = shape.matrix_elements() * kernels::element_bytes(kernels::ElementType::bf16);
  DeviceArray weights_place(*module);
  NATSCOPE_CHECK(weights_place.reserve(weights));
  Chunk chunk(*module);
  NATSCOPE_CHECK(upload_chunk(chunk, shape, scale.chunk, scale.kv_fraction));

  kernels::KvCacheShape cache_shape{shape.layers, shape.kv_heads, shape.head_dim(), kernels::ElementType::bf16};
  cache_shape.limit_bytes = scale.context_memory_bytes - weights;
  if (cache_shape.limit_bytes < 1) return fail(ErrorCode::out_of_memory, "the weights alone do not fit");
  kernels::DeviceCache* made = nullptr;
  NATSCOPE_CHECK(from_status(device.create_cache(handle, &cache_shape, scale.context_tokens_limit, &made), "cache"));
  const std::unique_ptr<kernels::DeviceCache, FreeCache> cache(made, FreeCache{module.get()});
  NATSCOPE_CHECK(from_status(device.reset_cache(handle, made, pattern_window, nullptr), "cache"));

  const auto rows = ConstView<float, 3>::packed(chunk.rows.as(), {shape.kv_heads, scale.chunk, shape.head_dim()});
  const auto roles = ConstView<Role, 2>::packed(chunk.roles.as<Role>(), {shape.kv_heads, scale.chunk});
  std::int64_t tokens = 0;
  kernels::DeviceCacheCounts counts;
  bool is_full = false;
  Expected<void> done;
  const double seconds = seconds_of([&] {
    while (done && !is_full && tokens + scale.chunk <= scale.context_tokens_limit) {
      done = check(run.context.stop);
      const kernels::Status status = device.reserve_cache(handle, made, scale.chunk, shape.layers);
      if (done) done = from_status(status, "cache");
      for (std::int32_t layer = 0; done && layer < shape.layers; ++layer) {
        done = from_status(device.append(handle, made, layer, static_cast<std::int32_t>(tokens), &roles, &rows, &rows),
                           "cache");
      }
      if (done) done = from_status(device.end_appends(handle, made), "cache");
      if (done) done = from_status(device.wait(handle), "cache");
      if (done) done = from_status(device.cache_counts(handle, made, &counts), "cache");
      if (done) tokens += scale.chunk;
      if (done && run.left_s() < 0) done = fail(ErrorCode::device_unavailable, "no time is left");
      is_full = !done && done.error().code == ErrorCode::out_of_memory;
    }
    if (is_full) done = {};  // the chunk that did not fit is not counted
  });
  NATSCOPE_CHECK(std::move(done));
  if (tokens == 0) return fail(ErrorCode::out_of_memory, "not even one chunk of tokens fits");

  Row row;
  row.name = "longest_context_80gb";
  row.size = "8 B shape on " + run.report.gpu + ", weights and cache in " +
             std::to_string(scale.context_memory_bytes / 1'000'000'000) + " GB, bf16, KV fraction " +
             std::to_string(scale.kv_fraction) + (is_full ? "" : ", ended by the limit of the search") +
             ", appended in " + std::to_string(static_cast<int>(seconds)) + " s";
  row.value = static_cast<double>(tokens);
  row.unit = "tokens";
  // Of what was held indeed: a chunk's roles are drawn by chance.
  const double token_bytes = 4.0 * shape.head_dim() * static_cast<double>(counts.entries) / static_cast<double>(tokens);
  row.limit = static_cast<double>(cache_shape.limit_bytes) / token_bytes;
  row.fraction_of_limit = row.value / *row.limit;
  row.target = "at least 2 000 000 tokens";
  row.runs = 1;
  return std::vector{std::move(row)};
}

}  // namespace natscope::bench
