// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <functional>
#include <limits>
#include <new>
#include <span>
#include <vector>

#include "kernels/cpu/kv_head_entries.h"
#include "kernels/cpu/kv_page_pool.h"
#include "kernels/kv_cache.h"

namespace natscope::kernels {

namespace {

constexpr std::int32_t max_head_dim = 256;

bool head_not_dense(const ConstView<float, 2>& rows) { return rows.size(1) > 1 && rows.stride(1) != 1; }

class PagedKvCache final : public KvCache {
 public:
  explicit PagedKvCache(const KvCacheShape& shape)
      : shape_(shape), pool_(2 * element_bytes(shape.dtype) * shape.head_dim * shape.page_entries, shape.limit_bytes) {
    const std::int64_t heads = static_cast<std::int64_t>(shape.layers) * shape.kv_heads;
    heads_.reserve(static_cast<std::size_t>(heads));
    for (std::int64_t head = 0; head < heads; ++head) heads_.emplace_back(shape_, pool_);
  }

  [[nodiscard]] const KvCacheShape& shape() const override { return shape_; }
  [[nodiscard]] std::int64_t window() const override { return window_; }

  void reset(std::int64_t window, bool keep_scores) override {
    window_ = std::clamp<std::int64_t>(window, 0, std::numeric_limits<std::int32_t>::max());
    for (cpu::KvHeadEntries& head : heads_) head.clear(window_, keep_scores);
  }

  Status append(LayerId layer, KvHeadId kv_head, TokenPos first, std::span<const Role> roles, ConstView<float, 2> keys,
                ConstView<float, 2> values) override {
    if (!has(layer, kv_head)) return {StatusCode::invalid_argument, "layer, kv_head: not in the cache"};
    const auto rows = static_cast<std::int64_t>(roles.size());
    if (keys.size(0) != rows || keys.size(1) != shape_.head_dim)
      return {StatusCode::shape_mismatch, "keys: [n, head_dim]"};
    if (values.size(0) != rows || values.size(1) != shape_.head_dim)
      return {StatusCode::shape_mismatch, "values: [n, head_dim]"};
    if (head_not_dense(keys) || head_not_dense(values)) {
      return {StatusCode::shape_mismatch, "head_dim: neighbours in memory"};
    }
    if (first.value > std::numeric_limits<std::int32_t>::max() - rows)
      return {StatusCode::invalid_argument, "first: position too large"};
    if (std::any_of(roles.begin(), roles.end(), [](Role role) { return static_cast<int>(role) >= role_count; })) {
      return {StatusCode::invalid_argument, "roles: 0, 1 or 2"};
    }
    return heads_[index(layer, kv_head)].append(first, roles, keys, values);
  }

  Status keep_by_scores(LayerId layer, KvHeadId kv_head, TokenPos now, std::int64_t heavy, std::int64_t recent,
                        std::vector<TokenPos>* dropped) override {
    if (!has(layer, kv_head)) return {StatusCode::invalid_argument, "layer, kv_head: not in the cache"};
    return heads_[index(layer, kv_head)].keep_by_scores(now, heavy, recent, dropped);
  }

  Status set_score(LayerId layer, KvHeadId kv_head, TokenPos position, float score) override {
    if (!has(layer, kv_head)) return {StatusCode::invalid_argument, "layer, kv_head: not in the cache"};
    return heads_[index(layer, kv_head)].set_score(position, score);
  }

  Status share_scores(LayerId layer) override {
    if (const Status status = check_scored(layer, "share_scores"); !status.ok()) return status;
    const std::span<cpu::KvHeadEntries> heads = heads_of(layer);
    // Heads that took the same tokens and dropped the same positions have them in the same slots.
    const std::span<const std::int32_t> positions = heads[0].positions();
    for (const cpu::KvHeadEntries& head : heads) {
      if (!std::ranges::equal(head.positions(), positions))
        return {StatusCode::invalid_argument, "share_scores: heads hold different positions"};
    }
    const std::span<float> sums = heads[0].scores();
    for (cpu::KvHeadEntries& head : heads.subspan(1))
      std::ranges::transform(sums, head.scores(), sums.begin(), std::plus<>());
    for (cpu::KvHeadEntries& head : heads.subspan(1)) std::ranges::copy(sums, head.scores().begin());
    return {};
  }

  Status drop(LayerId layer, KvHeadId kv_head, std::span<const TokenPos> positions) override {
    if (!has(layer, kv_head)) return {StatusCode::invalid_argument, "layer, kv_head: not in the cache"};
    return heads_[index(layer, kv_head)].drop(positions);
  }

  Status clear_scores(LayerId layer) override {
    if (const Status status = check_scored(layer, "clear_scores"); !status.ok()) return status;
    for (cpu::KvHeadEntries& head : heads_of(layer)) std::ranges::fill(head.scores(), 0.0F);
    return {};
  }

  [[nodiscard]] std::int64_t entries(LayerId layer, KvHeadId kv_head) const override {
    return heads_[index(layer, kv_head)].count();
  }
  [[nodiscard]] std::int64_t total_entries() const override {
    std::int64_t total = 0;
    for (const cpu::KvHeadEntries& head : heads_) total += head.count();
    return total;
  }
  [[nodiscard]] std::int64_t allocated_bytes() const override { return pool_.held_bytes(); }
  [[nodiscard]] std::array<std::int64_t, role_count> entries_by_role(LayerId layer, KvHeadId kv_head) const override {
    return heads_[index(layer, kv_head)].by_role();
  }

  [[nodiscard]] std::int64_t page_count(LayerId layer, KvHeadId kv_head) const override {
    return heads_[index(layer, kv_head)].page_count();
  }
  [[nodiscard]] KvPage page(LayerId layer, KvHeadId kv_head, std::int64_t page) const override {
    return heads_[index(layer, kv_head)].page(page);
  }

 private:
  [[nodiscard]] bool has(LayerId layer, KvHeadId kv_head) const {
    return layer.value >= 0 && layer.value < shape_.layers && kv_head.value >= 0 && kv_head.value < shape_.kv_heads;
  }
  [[nodiscard]] std::span<cpu::KvHeadEntries> heads_of(LayerId layer) {
    return std::span(heads_).subspan(index(layer, KvHeadId(0)), static_cast<std::size_t>(shape_.kv_heads));
  }
  [[nodiscard]] Status check_scored(LayerId layer, const char* what) const {
    if (!has(layer, KvHeadId(0))) return {StatusCode::invalid_argument, "layer: not in the cache"};
    if (!heads_[index(layer, KvHeadId(0))].keeps_scores()) return {StatusCode::invalid_argument, what};
    return {};
  }
  [[nodiscard]] std::size_t index(LayerId layer, KvHeadId kv_head) const {
    return static_cast<std::size_t>(layer.value) * static_cast<std::size_t>(shape_.kv_heads) +
           static_cast<std::size_t>(kv_head.value);
  }

  KvCacheShape shape_;
  std::int64_t window_ = 0;
  cpu::KvPagePool pool_;                   // outlives the heads, which give their pages back to it
  std::vector<cpu::KvHeadEntries> heads_;  // [layers, kv_heads]
};

}  // namespace

Status KvCache::create(const KvCacheShape& shape, std::unique_ptr<KvCache>& cache) {
  if (shape.layers < 1 || shape.kv_heads < 1 || shape.head_dim < 1 || shape.page_entries < 1 || shape.limit_bytes < 0) {
    return {StatusCode::invalid_argument, "cache shape: every size at least 1"};
  }
  if (shape.dtype == ElementType::f16) return {StatusCode::unsupported_dtype, "cache: f32 or bf16"};
  if (shape.head_dim > max_head_dim) return {StatusCode::unsupported_shape, "head_dim: at most 256"};
  try {
    cache = std::make_unique<PagedKvCache>(shape);
  } catch (const std::exception&) {
    return {StatusCode::out_of_memory, "cache"};
  }
  return {};
}

}  // namespace natscope::kernels
