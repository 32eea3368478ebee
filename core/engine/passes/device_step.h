// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/base/expected.h"
#include "core/device/device_module.h"
#include "core/engine/passes/chunk_pass.h"
#include "core/engine/passes/device_record.h"
#include "core/engine/passes/device_weights.h"
#include "core/engine/passes/pass_observer.h"
#include "core/engine/passes/rotation.h"
#include "core/engine/products/prepared_weights.h"
#include "core/model/config.h"

namespace natscope {

/// One token through all layers on a device: what RowPass is on the CPU.
///
/// Everything that a token brings from the host goes up in one copy, everything that the host is shown comes down in
/// one, its logits in another, and the last products run beside the cache's appends; seven operations a layer stand
/// between. Under H2O and TOVA the layers' drops follow the layers' appends, in one operation more. The first pass of a
/// kind is done call by call, the second is recorded, and from then on a pass is one replay (a CUDA graph): lengths and
/// positions are read on the device. Memory stays where it is as long as this lives.
class DeviceStep {
 public:
  /// All must outlive this; `cache` is the device's (DeviceOperations::create_cache).
  DeviceStep(const DeviceModule& module, const ModelConfig& config, const PreparedWeights& host_weights,
             const DeviceWeights& weights, kernels::ElementType dtype, kernels::DeviceCache* cache);
  ~DeviceStep();
  DeviceStep(const DeviceStep&) = delete;
  DeviceStep& operator=(const DeviceStep&) = delete;

  /// As DevicePass::run with one token; the cache changes only after the last layer, but for one with scores.
  [[nodiscard]] Expected<void> run(std::int32_t token, TokenPos position, PassObserver& observer, ChunkExtent extent,
                                   kernels::DeviceCacheCounts& counts);
  /// The cache was reset, perhaps to another rule: what was done once may need more memory the next time.
  void forget();
  /// Logits [vocab] of the last pass, whose extent wanted hidden states. They are there: no wait.
  [[nodiscard]] std::span<const float> logits() const;

 private:
  /// What a recording depends on besides the model and where memory lies.
  struct Kind {
    std::int32_t layers = 0;
    bool hidden = false;  ///< to the logits
    float global_bias = 0;
    bool drops = false;  ///< H2O, TOVA
    bool operator==(const Kind&) const = default;
  };

  [[nodiscard]] Expected<void> reserve();
  [[nodiscard]] Expected<void> enter(std::int32_t token, TokenPos position, const PassObserver& observer,
                                     std::int32_t layers);
  [[nodiscard]] Expected<void> work(const Kind& kind);
  [[nodiscard]] Expected<void> record(const Kind& kind);
  [[nodiscard]] Expected<void> put(const Kind& kind);
  [[nodiscard]] Expected<void> put_layers(const Kind& kind, bool& is_aside_put);
  [[nodiscard]] Expected<void> put_attention(const DeviceLayer& layer, std::int32_t index, const Kind& kind);
  [[nodiscard]] Expected<void> put_feed_forward(const DeviceLayer& layer);
  [[nodiscard]] Expected<void> put_aside(const Kind& kind, bool& is_put);
  [[nodiscard]] Expected<void> put_end_of_layers(const Kind& kind);
  [[nodiscard]] Expected<void> put_logits();
  [[nodiscard]] Expected<void> put_appends(std::int32_t layers);
  [[nodiscard]] Expected<void> put_drops(std::int32_t layers);
  [[nodiscard]] Expected<void> multiply(const kernels::TokenProducts& call);
  [[nodiscard]] kernels::TokenProducts of_normed(const float* norm) const;
  void forget_recording();

  template <class T = float>
  [[nodiscard]] T* input(std::int64_t part) const {
    return reinterpret_cast<T*>(inputs_.as<std::byte>() + part);
  }
  template <class T = float>
  [[nodiscard]] T* host_input(std::int64_t part) const {
    return reinterpret_cast<T*>(host_inputs_.data() + part);
  }
  template <class T = float>
  [[nodiscard]] T* recorded(std::int32_t layer, std::int64_t part) const {
    return reinterpret_cast<T*>(record_.as<std::byte>() + layer * layout_.size_bytes + part);
  }
  [[nodiscard]] float* x() const { return input(x_); }
  [[nodiscard]] float* values(std::int32_t layer) const { return values_.as() + layer * config_.kv_rows(); }

  const DeviceModule& module_;
  const kernels::DeviceOperations& device_;
  const ModelConfig& config_;
  const PreparedWeights& host_weights_;
  const DeviceWeights& weights_;
  const bool rounds_;
  kernels::DeviceCache* const cache_;
  Rotation rotation_;
  DeviceRecord shown_;

  DeviceLayout input_layout_;
  std::int64_t x_, cosine_, sine_, prescribed_, drops_;  // places in the inputs; x grows through the layers
  DeviceRecordLayout layout_;                            // of this pass
  DeviceArray inputs_, record_, values_, attended_, gate_, up_, logits_, self_scores_;
  PinnedArray host_inputs_, host_record_, host_logits_;

  std::optional<Kind> done_once_;
  Kind recorded_kind_;
  kernels::DeviceRecording* recording_ = nullptr;
  bool records_ = true;  // false once the device could not
};

}  // namespace natscope
