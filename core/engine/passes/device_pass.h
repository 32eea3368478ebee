// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "core/device/device_module.h"
#include "core/engine/passes/chunk_attention.h"
#include "core/engine/passes/chunk_pass.h"
#include "core/engine/passes/device_record.h"
#include "core/engine/passes/device_step.h"
#include "core/engine/passes/device_weights.h"
#include "core/engine/passes/pass_observer.h"
#include "core/engine/passes/rotation.h"
#include "core/engine/products/prepared_weights.h"
#include "core/model/config.h"
#include "kernels/kv_cache.h"
#include "kernels/linear.h"

namespace natscope {

class TorchProducts;

/// Tokens through the layers on a device: what RowPass and ChunkPass are on the CPU, and the cache that they work on.
///
/// Weights are copied once and stay there whole; the cache's pages are the device's. Roles are decided on the device,
/// by what the observer prescribed before the pass, so that no layer waits for the host. One token goes its own way
/// (device_step.h). Of a longer pass what the observer is to see comes down to pinned memory layer by layer, and the
/// observer looks at a layer while the device works on the next; only the end of a pass waits for all work.
///
/// Products of many rows are LibTorch's where it has a CUDA part; everything else is the module's.
class DevicePass {
 public:
  /// `config` and `weights` must outlive the result. Errors: out_of_memory (at once when the weights
  /// alone do not fit, by a sentence that says how much is needed and free), device_unavailable (heads that this GPU
  /// cannot attend to), interrupted, internal.
  [[nodiscard]] static Expected<std::unique_ptr<DevicePass>> create(std::unique_ptr<DeviceModule> module,
                                                                    const ModelConfig& config,
                                                                    const PreparedWeights& weights,
                                                                    const CacheGeometry& geometry,
                                                                    std::stop_token stop);
  ~DevicePass();

  [[nodiscard]] const DeviceModule& module() const { return *module_; }
  /// Passes of several tokens attend with this from now on, the cache stays empty, and passes of one token are refused.
  void attend_with(std::unique_ptr<ChunkAttention> attention) { attention_ = std::move(attention); }
  /// Passes of several tokens let them see each other alone from now on, and fill the cache. Errors: out_of_memory.
  [[nodiscard]] Expected<void> attend_alone();
  /// Whether nothing is ever dropped: what is attended with knows no roles.
  [[nodiscard]] bool is_dense() const { return attention_ != nullptr; }
  /// Whether passes of any length attend to what the cache holds, as H2O and TOVA have to.
  [[nodiscard]] bool attends_to_cache() const { return attention_ == nullptr && blank_cache_ == nullptr; }
  /// The most tokens that one pass should take, so that what it works on stays below about a gigabyte of the device.
  [[nodiscard]] std::int64_t most_tokens() const;

  /// As KvCache::reset; with a rule the cache keeps scores. Errors: out_of_memory, internal.
  [[nodiscard]] Expected<void> reset_cache(std::int64_t window, const std::optional<kernels::ScoreRule>& rule);
  /// After the last pass that came to its end.
  [[nodiscard]] const kernels::DeviceCacheCounts& counts() const { return counts_; }

  /// Processes tokens first … first + n - 1, n >= 1 (2 with attend_with). A pass of one token changes the cache only
  /// after the last layer, so that a stop leaves it as it was; of a longer one the cache may hold some layers. Under
  /// H2O and TOVA tokens of a longer one attend and drop one by one, layer by layer; behind a prompt under SnapKV and
  /// its like all layers drop together. Errors: as ChunkPass::run.
  [[nodiscard]] Expected<void> run(std::span<const std::int32_t> tokens, TokenPos first, PassObserver& observer,
                                   ChunkExtent extent, std::stop_token stop);
  /// Logits [n, vocab] as ChunkPass::logits.
  [[nodiscard]] Expected<void> logits(std::int64_t index, std::int64_t n, std::span<float> out);

 private:
  DevicePass(std::unique_ptr<DeviceModule> module, const ModelConfig& config, const PreparedWeights& weights,
             const CacheGeometry& geometry);

  [[nodiscard]] Expected<kernels::DeviceCache*> make_cache() const;
  [[nodiscard]] Expected<void> run_chunk(std::span<const std::int32_t> tokens, TokenPos first, PassObserver& observer,
                                         ChunkExtent extent, const std::stop_token& stop);
  [[nodiscard]] Expected<void> reserve(std::int32_t layers, PassDrops drops);
  [[nodiscard]] Expected<void> enter(std::span<const std::int32_t> tokens, TokenPos first);
  [[nodiscard]] Expected<void> project(const DeviceLayer& layer, std::int32_t index);
  [[nodiscard]] Expected<void> prescribe(std::int32_t layers, TokenPos first, const PassObserver& observer);
  [[nodiscard]] Expected<void> attend(std::int32_t index, TokenPos first);
  [[nodiscard]] Expected<void> decide_roles(const DeviceLayer& layer, std::int32_t index);
  [[nodiscard]] Expected<void> attend_one_by_one(std::int32_t index, TokenPos first, const std::stop_token& stop);
  [[nodiscard]] Expected<void> drop_behind_prompt(std::int32_t layers, TokenPos now, PassObserver& observer,
                                                  const std::stop_token& stop);
  [[nodiscard]] Expected<void> fetch_record(std::int32_t layer, const PassObserver& observer);
  [[nodiscard]] Expected<void> append(std::int32_t index, TokenPos first);
  [[nodiscard]] Expected<void> feed_forward(const DeviceLayer& layer);
  [[nodiscard]] Expected<void> multiply(const float* x, std::int64_t rows,
                                        std::initializer_list<kernels::LinearRow> products, bool add = false);
  [[nodiscard]] Expected<void> normalise(const float* x, const float* weight, std::int64_t rows);

  /// Records and values take two turns, so that the host reads one while the other is written.
  [[nodiscard]] static std::int64_t slot(std::int32_t layer) { return layer % 2; }
  template <class T = float>
  [[nodiscard]] T* recorded(std::int32_t layer, std::int64_t part) const {
    return reinterpret_cast<T*>(record_.as<std::byte>() + slot(layer) * layout_.size_bytes + part);
  }
  [[nodiscard]] kernels::View<float, 3> heads_of(float* rows, std::int64_t heads) const {
    return heads_of_rows(rows, chunk_, heads, config_.head_dim);
  }
  [[nodiscard]] float* queries(std::int32_t layer) const { return recorded(layer, layout_.queries); }
  [[nodiscard]] float* keys(std::int32_t layer) const { return recorded(layer, layout_.keys); }
  [[nodiscard]] float* scores(std::int32_t layer) const { return recorded(layer, layout_.scores); }
  [[nodiscard]] float* values(std::int32_t layer) const {
    return values_.as() + slot(layer) * chunk_ * config_.kv_rows();
  }
  [[nodiscard]] kernels::View<Role, 2> roles(std::int32_t layer) const;
  [[nodiscard]] bool rounds() const { return dtype_ == kernels::ElementType::bf16; }

  std::unique_ptr<DeviceModule> module_;       // outlives everything below
  std::unique_ptr<TorchProducts> products_;    // null: all products are the module's
  std::unique_ptr<ChunkAttention> attention_;  // null: the module's, over its cache
  const kernels::DeviceOperations& device_;
  kernels::OpenedDevice* const handle_;
  const ModelConfig& config_;
  const PreparedWeights& weights_;
  kernels::ElementType dtype_;
  std::int32_t cached_layers_;
  Rotation rotation_;

  DeviceWeights device_weights_;
  kernels::DeviceCache* cache_ = nullptr;
  kernels::DeviceCache* blank_cache_ = nullptr;  // with attend_alone: one that stays empty
  kernels::DeviceCacheCounts counts_;
  DeviceRecord shown_;
  std::unique_ptr<DeviceStep> step_;  // of passes of one token

  std::int64_t chunk_ = 0;  // tokens of this pass
  bool is_step_ = false;    // it is the step's
  std::int64_t rows_ = 0;   // of them, those that still go on
  std::int64_t row_ = 0;    // the first of those
  float global_bias_ = 0;   // of this pass
  DeviceRecordLayout layout_;
  DeviceArray x_, normed_, values_, attended_, gate_, up_, cosine_, sine_, prescribed_, record_, logits_;
  DeviceArray drops_, self_scores_;  // with a rule; drops_: positions that go after each token, or EntryMoves
  PinnedArray host_record_;
  PinnedArray host_x_;
  std::array<bool, 2> shows_attended_{};  // [slot]: what attended() is shown is coming down, too
  bool is_under_way_ = false;             // the device may not have done all it was given, nor read what it was to copy
  std::vector<Role> host_prescribed_;     // [layers, kv_heads, n]
  std::vector<std::int32_t> host_drops_;  // [layers, n, kv_heads], with a rule
};

}  // namespace natscope
