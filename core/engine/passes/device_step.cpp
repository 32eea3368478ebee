// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/device_step.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/log.h"
#include "core/cache/kernel_status.h"
#include "core/device/device_memory.h"

namespace natscope {

namespace {

using kernels::ConstView;
using kernels::LinearRow;
using kernels::TokenProducts;
using kernels::View;

constexpr std::int64_t number_bytes = sizeof(float);

/// sum += product · x.
TokenProducts added(const float* x, const LinearRow& product, float* sum) {
  TokenProducts call;
  call.x = x;
  call.into = TokenProducts::Into::sum;
  call.count = 1;
  call.products[0] = into(sum, product);
  return call;
}

}  // namespace

DeviceStep::DeviceStep(const DeviceModule& module, const ModelConfig& config, const PreparedWeights& host_weights,
                       const DeviceWeights& weights, kernels::ElementType dtype, kernels::DeviceCache* cache)
    : module_(module),
      device_(module.operations()),
      config_(config),
      host_weights_(host_weights),
      weights_(weights),
      rounds_(dtype == kernels::ElementType::bf16),
      cache_(cache),
      rotation_(config),
      shown_(config, weights),
      x_(input_layout_.take(config.hidden * number_bytes)),
      cosine_(input_layout_.take(rotation_.pairs() * number_bytes)),
      sine_(input_layout_.take(rotation_.pairs() * number_bytes)),
      prescribed_(input_layout_.take(config.layers * config.kv_heads * static_cast<std::int64_t>(sizeof(Role)))),
      drops_(input_layout_.take(config.layers * config.kv_heads * static_cast<std::int64_t>(sizeof(std::int32_t)))),
      inputs_(module),
      record_(module),
      values_(module),
      attended_(module),
      gate_(module),
      up_(module),
      logits_(module),
      self_scores_(module),
      host_inputs_(module),
      host_record_(module),
      host_logits_(module) {}

DeviceStep::~DeviceStep() { forget_recording(); }

void DeviceStep::forget_recording() {
  if (recording_ != nullptr) device_.free_recording(module_.device(), std::exchange(recording_, nullptr));
}

Expected<void> DeviceStep::reserve() {
  const auto layers = static_cast<std::int64_t>(weights_.layers().size());
  NATSCOPE_CHECK(inputs_.reserve(input_layout_.size_bytes));
  const std::int64_t record_bytes = layers * DeviceRecordLayout(config_, 1, PassDrops::after_each).size_bytes;
  NATSCOPE_CHECK(record_.reserve(record_bytes));
  NATSCOPE_CHECK(self_scores_.reserve(layers * config_.kv_heads * number_bytes));
  NATSCOPE_CHECK(values_.reserve(layers * config_.kv_rows() * number_bytes));
  NATSCOPE_CHECK(attended_.reserve(config_.q_rows() * number_bytes));
  NATSCOPE_CHECK(gate_.reserve(config_.intermediate * number_bytes));
  NATSCOPE_CHECK(up_.reserve(config_.intermediate * number_bytes));
  NATSCOPE_CHECK(logits_.reserve(config_.vocab * number_bytes));
  NATSCOPE_CHECK(host_inputs_.reserve(input_layout_.size_bytes));
  NATSCOPE_CHECK(host_record_.reserve(record_bytes));
  return host_logits_.reserve(config_.vocab * number_bytes);
}

Expected<void> DeviceStep::run(std::int32_t token, TokenPos position, PassObserver& observer, ChunkExtent extent,
                               kernels::DeviceCacheCounts& counts) {
  layout_ = DeviceRecordLayout(config_, 1, observer.drops(position, 1));
  NATSCOPE_CHECK(reserve());
  const auto room = [&] { return device_.reserve_cache(module_.device(), cache_, 1, extent.layers); };
  NATSCOPE_CHECK(from_status(with_idle_memory(module_, room), "cache"));
  NATSCOPE_CHECK(enter(token, position, observer, extent.layers));
  NATSCOPE_CHECK(
      work({extent.layers, extent.hidden != ChunkExtent::Hidden::none, observer.global_bias(), layout_.with_drops}));
  NATSCOPE_CHECK(from_status(device_.wait(module_.device()), "pass on the GPU"));
  NATSCOPE_CHECK(from_status(device_.cache_counts(module_.device(), cache_, &counts), "cache"));
  for (std::int32_t layer = 0; layer < extent.layers; ++layer) {
    std::byte* const record = host_record_.data() + layer * layout_.size_bytes;
    NATSCOPE_CHECK(shown_.show(layer, position, 1, layout_, record, observer));
  }
  return {};
}

std::span<const float> DeviceStep::logits() const {
  return {reinterpret_cast<const float*>(host_logits_.data()), static_cast<std::size_t>(config_.vocab)};
}

/// Embedding, cosines and sines are made on the host: a few kilobytes, and the same numbers as the CPU's.
Expected<void> DeviceStep::enter(std::int32_t token, TokenPos position, const PassObserver& observer,
                                 std::int32_t layers) {
  host_weights_.embed(token, {host_input(x_), static_cast<std::size_t>(config_.hidden)});
  rotation_.set(position, 1);
  std::copy_n(rotation_.cosine(0), rotation_.pairs(), host_input(cosine_));
  std::copy_n(rotation_.sine(0), rotation_.pairs(), host_input(sine_));
  const auto heads = static_cast<std::size_t>(layers * config_.kv_heads);
  if (layout_.with_drops)
    NATSCOPE_CHECK(shown_.prescribe_drops(layers, position, 1, observer, {host_input<std::int32_t>(drops_), heads}));
  return shown_.prescribe(layers, position, 1, observer, {host_input<Role>(prescribed_), heads});
}

/// A replay where there is one. What was done once has all that it needs, and can be recorded; where a device cannot,
/// the sequence goes on without.
Expected<void> DeviceStep::work(const Kind& kind) {
  kernels::OpenedDevice* const device = module_.device();
  if (recording_ != nullptr && (recorded_kind_ != kind || !device_.is_current(device, recording_))) forget_recording();
  if (recording_ == nullptr) {
    if (done_once_ != kind || !records_) {
      NATSCOPE_CHECK(put(kind));
      done_once_ = kind;
      return {};
    }
    if (const Expected<void> recorded = record(kind); !recorded) {
      records_ = false;
      log(LogLevel::warning,
          "steps are slower than they could be, put together anew for every token: " + recorded.error().message);
      return put(kind);
    }
  }
  // The first replay of a recording takes memory.
  const auto replay = [&] { return device_.replay(device, recording_); };
  return from_status(with_idle_memory(module_, replay), "pass on the GPU");
}

void DeviceStep::forget() {
  forget_recording();
  done_once_.reset();
}

Expected<void> DeviceStep::record(const Kind& kind) {
  kernels::OpenedDevice* const device = module_.device();
  NATSCOPE_CHECK(from_status(device_.begin_recording(device), "recording of a pass"));
  const Expected<void> recorded = put(kind);
  const Expected<void> ended = from_status(device_.end_recording(device, &recording_), "recording of a pass");
  if (!recorded) forget_recording();
  NATSCOPE_CHECK(recorded);
  NATSCOPE_CHECK(ended);
  recorded_kind_ = kind;
  return {};
}

/// All of a pass, onto the device's stream. What was put aside is joined whatever else fails: those who wait for the
/// stream then wait for that, too.
Expected<void> DeviceStep::put(const Kind& kind) {
  bool is_aside_put = false;
  const Expected<void> layers = put_layers(kind, is_aside_put);
  if (!is_aside_put) return layers;
  const Expected<void> joined = from_status(device_.join_aside(module_.device()), "pass on the GPU");
  NATSCOPE_CHECK(layers);
  return joined;
}

Expected<void> DeviceStep::put_layers(const Kind& kind, bool& is_aside_put) {
  kernels::OpenedDevice* const device = module_.device();
  NATSCOPE_CHECK(from_status(device_.upload(device, inputs_.as<void>(), host_inputs_.data(), input_layout_.size_bytes),
                             "copy to the GPU"));
  for (std::int32_t index = 0; index < kind.layers; ++index) {
    const DeviceLayer& layer = weights_.layer(index);
    NATSCOPE_CHECK(put_attention(layer, index, kind));
    if (index + 1 == kind.layers) {
      NATSCOPE_CHECK(put_aside(kind, is_aside_put));
      if (!kind.hidden) break;
    }
    NATSCOPE_CHECK(multiply(added(attended_.as(), layer.o, x())));
    NATSCOPE_CHECK(put_feed_forward(layer));
  }
  if (kind.hidden) NATSCOPE_CHECK(put_logits());
  return {};
}

/// What the last layer's products have no part in: the cache's, and what the host is shown. Beside them.
Expected<void> DeviceStep::put_aside(const Kind& kind, bool& is_put) {
  kernels::OpenedDevice* const device = module_.device();
  NATSCOPE_CHECK(from_status(device_.begin_aside(device), "pass on the GPU"));
  is_put = true;  // some of it, whatever fails
  const Expected<void> put = put_end_of_layers(kind);
  const Expected<void> ended = from_status(device_.end_aside(device), "pass on the GPU");
  NATSCOPE_CHECK(put);
  return ended;
}

Expected<void> DeviceStep::put_end_of_layers(const Kind& kind) {
  kernels::OpenedDevice* const device = module_.device();
  NATSCOPE_CHECK(put_appends(kind.layers));
  if (kind.drops) NATSCOPE_CHECK(put_drops(kind.layers));
  NATSCOPE_CHECK(from_status(device_.end_appends(device, cache_), "cache"));
  return from_status(
      device_.download(device, host_record_.data(), record_.as<void>(), kind.layers * layout_.size_bytes),
      "copy from the GPU");
}

Expected<void> DeviceStep::put_logits() {
  TokenProducts head = of_normed(weights_.norm());
  head.count = 1;
  head.products[0] = into(logits_.as(), weights_.lm_head());
  NATSCOPE_CHECK(multiply(head));
  return from_status(
      device_.download(module_.device(), host_logits_.data(), logits_.as<void>(), config_.vocab * number_bytes),
      "copy from the GPU");
}

TokenProducts DeviceStep::of_normed(const float* norm) const {
  TokenProducts call;
  call.x = x();
  call.norm = norm;
  call.eps = static_cast<float>(config_.stream_norm_eps());
  call.round = rounds_;
  return call;
}

Expected<void> DeviceStep::multiply(const TokenProducts& call) {
  return from_status(device_.token_products(module_.device(), &call), "product");
}

Expected<void> DeviceStep::put_attention(const DeviceLayer& layer, std::int32_t index, const Kind& kind) {
  float* const queries = recorded(index, layout_.queries);
  float* const keys = recorded(index, layout_.keys);
  float* const scores = layer.has_scores() ? recorded(index, layout_.scores) : nullptr;
  Role* const roles = recorded<Role>(index, layout_.roles);
  TokenProducts projections = of_normed(layer.input_norm);
  const auto project = [&](const LinearRow& product, float* out) {
    projections.products[projections.count++] = into(out, product);
  };
  project(layer.q, queries);
  project(layer.k, keys);
  project(layer.v, values(index));
  if (scores != nullptr) project(layer.score, scores);
  NATSCOPE_CHECK(multiply(projections));

  const kernels::TokenHeads heads{.queries = queries,
                                  .keys = keys,
                                  .values = values(index),
                                  .q_norm = layer.q_norm,
                                  .k_norm = layer.k_norm,
                                  .cosine = input(cosine_),
                                  .sine = input(sine_),
                                  .heads = config_.heads,
                                  .kv_heads = config_.kv_heads,
                                  .head_dim = config_.head_dim,
                                  .rotated = config_.rotated_dim(index),
                                  .eps = static_cast<float>(config_.rms_norm_eps),
                                  .round = rounds_,
                                  .prescribed = input<Role>(prescribed_) + index * config_.kv_heads,
                                  .scores = scores,
                                  .global_bias = kind.global_bias,
                                  .roles = roles};
  NATSCOPE_CHECK(from_status(device_.token_heads(module_.device(), &heads), "heads"));

  const auto rows = [&](float* data, std::int64_t number) { return heads_of_rows(data, 1, number, config_.head_dim); };
  const ConstView<float, 3> q = rows(queries, config_.heads);
  const ConstView<float, 3> k = rows(keys, config_.kv_heads);
  const ConstView<float, 3> v = rows(values(index), config_.kv_heads);
  const auto role_view = ConstView<Role, 2>::packed(roles, {config_.kv_heads, 1});
  const View<float, 3> out = rows(attended_.as(), config_.heads);
  const auto lse = View<float, 2>::packed(recorded(index, layout_.lse), {config_.heads, 1});
  float* const self_scores = kind.drops ? self_scores_.as() + index * config_.kv_heads : nullptr;
  return from_status(
      device_.attention(module_.device(), cache_, index, 0, &q, &k, &v, &role_view, rounds_, &out, &lse, self_scores),
      "attention");
}

Expected<void> DeviceStep::put_feed_forward(const DeviceLayer& layer) {
  TokenProducts gate = of_normed(layer.post_attention_norm);
  gate.count = 2;
  gate.products[0] = into(gate_.as(), layer.gate);
  gate.products[1] = into(up_.as(), layer.up);
  const bool alike = layer.gate.dtype == layer.up.dtype;  // files may mix types
  if (alike) gate.into = TokenProducts::Into::gate;
  NATSCOPE_CHECK(multiply(gate));
  if (!alike) {
    NATSCOPE_CHECK(from_status(device_.swiglu(module_.device(), gate_.as(), up_.as(), config_.intermediate, rounds_),
                               "feed-forward"));
  }
  return multiply(added(gate_.as(), layer.down, x()));
}

Expected<void> DeviceStep::put_appends(std::int32_t layers) {
  const std::int64_t to_next = layout_.size_bytes / number_bytes;
  const std::int64_t kv_heads = config_.kv_heads;
  const std::int64_t head_dim = config_.head_dim;
  const ConstView<Role, 2> roles{recorded<Role>(0, layout_.roles), {layers, kv_heads}, {layout_.size_bytes, 1}};
  const ConstView<float, 3> keys{recorded(0, layout_.keys), {layers, kv_heads, head_dim}, {to_next, head_dim, 1}};
  const auto all_values = ConstView<float, 3>::packed(values_.as(), {layers, kv_heads, head_dim});
  return from_status(device_.append_token(module_.device(), cache_, &roles, &keys, &all_values), "cache");
}

Expected<void> DeviceStep::put_drops(std::int32_t layers) {
  const std::int64_t to_next = layout_.size_bytes / static_cast<std::int64_t>(sizeof(std::int32_t));
  const std::array<std::int64_t, 2> heads{layers, config_.kv_heads};
  const kernels::TokenDrops call{.layer = 0,
                                 .self_scores = ConstView<float, 2>::packed(self_scores_.as(), heads),
                                 .prescribed = ConstView<std::int32_t, 2>::packed(input<std::int32_t>(drops_), heads),
                                 .dropped = {recorded<std::int32_t>(0, layout_.dropped), heads, {to_next, 1}},
                                 .held = {recorded<std::int32_t>(0, layout_.held), heads, {to_next, 1}}};
  return from_status(device_.keep_by_scores(module_.device(), cache_, &call), "cache");
}

}  // namespace natscope
