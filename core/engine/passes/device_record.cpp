// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/device_record.h"

#include <algorithm>
#include <string>

namespace natscope {

using kernels::View;

DeviceRecordLayout::DeviceRecordLayout(const ModelConfig& config, std::int64_t n, PassDrops drops)
    : one_by_one(drops != PassDrops::none), with_drops(drops == PassDrops::after_each) {
  constexpr std::int64_t number_bytes = sizeof(float);
  queries = take(n * config.q_rows() * number_bytes);
  keys = take(n * config.kv_rows() * number_bytes);
  lse = take(n * config.heads * number_bytes);
  scores = take(n * config.score_rows() * number_bytes);
  roles = take(n * config.kv_heads * static_cast<std::int64_t>(sizeof(Role)));
  if (!with_drops) return;
  dropped = take(n * config.kv_heads * static_cast<std::int64_t>(sizeof(std::int32_t)));
  held = take(n * config.kv_heads * static_cast<std::int64_t>(sizeof(std::int32_t)));
}

Expected<void> DeviceRecord::prescribe(std::int32_t layers, TokenPos first, std::int64_t n,
                                       const PassObserver& observer, std::span<Role> roles) const {
  const auto layer_roles = static_cast<std::size_t>(config_.kv_heads * n);
  for (std::int32_t index = 0; index < layers; ++index) {
    const std::span<Role> known = roles.subspan(static_cast<std::size_t>(index) * layer_roles, layer_roles);
    NATSCOPE_CHECK(
        observer.prescribe(LayerId(index), first, View<Role, 2>::packed(known.data(), {config_.kv_heads, n})));
    if (!weights_.layer(index).has_scores() && std::ranges::find(known, by_scores) != known.end())
      return fail(ErrorCode::internal, "roles by scores in a layer without scores");
  }
  return {};
}

Expected<void> DeviceRecord::prescribe_drops(std::int32_t layers, TokenPos first, std::int64_t n,
                                             const PassObserver& observer, std::span<std::int32_t> positions) const {
  const std::int64_t of_layer = n * config_.kv_heads;
  for (std::int32_t index = 0; index < layers; ++index) {
    NATSCOPE_CHECK(observer.prescribe_drops(
        LayerId(index), first,
        View<std::int32_t, 2>::packed(&positions[static_cast<std::size_t>(index * of_layer)], {n, config_.kv_heads})));
  }
  return {};
}

Expected<void> DeviceRecord::show(std::int32_t layer, TokenPos first, std::int64_t n, const DeviceRecordLayout& layout,
                                  std::byte* record, PassObserver& observer, bool attended) {
  const auto numbers = [&](std::int64_t part) { return reinterpret_cast<float*>(record + part); };
  decided_.resize(static_cast<std::size_t>(config_.kv_heads * n));
  const auto scores = View<float, 2>::packed(weights_.layer(layer).has_scores() ? numbers(layout.scores) : nullptr,
                                             {n, config_.score_rows()});
  NATSCOPE_CHECK(
      observer.decide(LayerId(layer), first, scores, View<Role, 2>::packed(decided_.data(), {config_.kv_heads, n})));
  if (!std::ranges::equal(decided_, std::span(reinterpret_cast<const Role*>(record + layout.roles), decided_.size())))
    return fail(ErrorCode::internal, "the GPU and the record disagree on roles of layer " + std::to_string(layer));
  if (attended) {
    const std::int64_t heads = config_.heads;
    const View<float, 2> lse{
        numbers(layout.lse), {heads, n}, {layout.one_by_one ? 1 : n, layout.one_by_one ? heads : 1}};
    NATSCOPE_CHECK(observer.attended(LayerId(layer), first,
                                     heads_of_rows(numbers(layout.queries), n, heads, config_.head_dim),
                                     heads_of_rows(numbers(layout.keys), n, config_.kv_heads, config_.head_dim), lse));
  }
  if (!layout.with_drops) return {};
  const auto kv_heads = static_cast<std::size_t>(config_.kv_heads);
  for (std::int64_t row = 0; row < n; ++row) {
    const auto of_token = [&](std::int64_t part) {
      return std::span(reinterpret_cast<const std::int32_t*>(record + part) + row * config_.kv_heads, kv_heads);
    };
    NATSCOPE_CHECK(observer.dropped(LayerId(layer), TokenPos(first.value + static_cast<std::int32_t>(row)),
                                    of_token(layout.dropped), of_token(layout.held)));
  }
  return {};
}

}  // namespace natscope
