// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/expected.h"
#include "core/engine/passes/device_weights.h"
#include "core/engine/passes/pass_observer.h"
#include "core/model/config.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

namespace natscope {

/// Rows [n, heads, head_dim] as views of heads.
[[nodiscard]] inline kernels::View<float, 3> heads_of_rows(float* rows, std::int64_t n, std::int64_t heads,
                                                           std::int64_t head_dim) {
  return {rows, {heads, n, head_dim}, {head_dim, heads * head_dim, 1}};
}

/// Where parts of a piece of memory lie, one behind the other, aligned to 256 bytes.
class DeviceLayout {
 public:
  /// The place of a part of `part_bytes`.
  std::int64_t take(std::int64_t part_bytes) {
    constexpr std::int64_t alignment = 256;
    const std::int64_t at = size_bytes;
    size_bytes += (part_bytes + alignment - 1) / alignment * alignment;
    return at;
  }
  std::int64_t size_bytes = 0;
};

/// Where in a piece of memory lies what the observer is shown of one layer of a pass of n tokens. On the device and on
/// the host alike, so that layers that lie one after the other come down in one copy. All in bytes.
///   queries [n, heads, head_dim], keys [n, kv_heads, head_dim], lse [heads, n], scores [n, 3 · kv_heads] f32
///   roles   [kv_heads, n]
/// Where tokens attend one by one lse [n, heads], and where entries go after each of them also
///   dropped, held [n, kv_heads] i32: kernels::TokenDrops
struct DeviceRecordLayout : DeviceLayout {
  DeviceRecordLayout() = default;
  DeviceRecordLayout(const ModelConfig& config, std::int64_t n, PassDrops drops);

  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t lse = 0;
  std::int64_t scores = 0;
  std::int64_t roles = 0;
  /// What attended() is shown lies before this; what is always looked at, behind it.
  [[nodiscard]] std::int64_t attended_bytes() const { return scores; }
  bool one_by_one = false;
  bool with_drops = false;
  std::int64_t dropped = 0;
  std::int64_t held = 0;  ///< and `size_bytes` from one layer to the next
};

/// What a pass on a device and its observer tell each other.
class DeviceRecord {
 public:
  /// Both must outlive this.
  DeviceRecord(const ModelConfig& config, const DeviceWeights& weights) : config_(config), weights_(weights) {}

  /// For a pass of n tokens from `first` on: what is known of the roles of each of the first layers, into
  /// roles [layers, kv_heads, n]. Errors: the observer's, internal (by scores where there are none).
  [[nodiscard]] Expected<void> prescribe(std::int32_t layers, TokenPos first, std::int64_t n,
                                         const PassObserver& observer, std::span<Role> roles) const;

  /// As prescribe(): what is known of the entries that go by their scores, into positions [layers, n, kv_heads].
  [[nodiscard]] Expected<void> prescribe_drops(std::int32_t layers, TokenPos first, std::int64_t n,
                                               const PassObserver& observer, std::span<std::int32_t> positions) const;

  /// What has come down of a layer, to the observer. It decides once more, for its record, and must come to the same
  /// roles. Without `attended` the record's first attended_bytes() are not read. Errors: the observer's, internal (it
  /// does not).
  [[nodiscard]] Expected<void> show(std::int32_t layer, TokenPos first, std::int64_t n,
                                    const DeviceRecordLayout& layout, std::byte* record, PassObserver& observer,
                                    bool attended);
  /// The same of a record that came down whole.
  [[nodiscard]] Expected<void> show(std::int32_t layer, TokenPos first, std::int64_t n,
                                    const DeviceRecordLayout& layout, std::byte* record, PassObserver& observer) {
    return show(layer, first, n, layout, record, observer, observer.wants_attended(LayerId(layer)));
  }

 private:
  const ModelConfig& config_;
  const DeviceWeights& weights_;
  std::vector<Role> decided_;  // [kv_heads, n]
};

}  // namespace natscope
