// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/device_pass.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/cancel.h"
#include "core/engine/kernel_status.h"
#include "kernels/prescribed_role.h"

namespace natscope {

namespace {

using kernels::LinearRow;
using kernels::View;

constexpr std::int64_t number_bytes = sizeof(float);

std::size_t count(std::int64_t number) { return static_cast<std::size_t>(number); }

std::string mebibytes(std::int64_t size_bytes) { return std::to_string(size_bytes >> 20) + " MiB"; }

/// Said before gigabytes are copied in vain. The cache and what passes work on come on top.
Expected<void> check_room(const kernels::DeviceDescription& device, std::int64_t weights_bytes) {
  if (weights_bytes <= device.free_bytes) return {};
  constexpr std::int64_t up = (1 << 20) - 1;  // what is needed is rounded up, what is free down
  return fail(ErrorCode::out_of_memory,
              "the model's weights take " + mebibytes(weights_bytes + up) + " of GPU memory, and " +
                  mebibytes(device.free_bytes) + " of " + mebibytes(device.memory_bytes) + " are free",
              "use --device cpu, or free memory on the GPU");
}

}  // namespace

DevicePass::DevicePass(std::unique_ptr<DeviceModule> module, const ModelConfig& config, const PreparedWeights& weights,
                       kernels::ElementType dtype)
    : module_(std::move(module)),
      device_(module_->operations()),
      handle_(module_->device()),
      config_(config),
      weights_(weights),
      dtype_(dtype),
      rotation_(config),
      x_(*module_),
      normed_(*module_),
      values_(*module_),
      attended_(*module_),
      gate_(*module_),
      up_(*module_),
      cosine_(*module_),
      sine_(*module_),
      prescribed_(*module_),
      record_(*module_),
      logits_(*module_),
      host_record_(*module_) {}

DevicePass::~DevicePass() {
  if (cache_ != nullptr) device_.free_cache(handle_, cache_);
}

Expected<std::unique_ptr<DevicePass>> DevicePass::create(std::unique_ptr<DeviceModule> module,
                                                         const ModelConfig& config, const PreparedWeights& weights,
                                                         const CacheGeometry& geometry, std::stop_token stop) {
  std::unique_ptr<DevicePass> pass(new DevicePass(std::move(module), config, weights, geometry.dtype));
  NATSCOPE_CHECK(check_room(pass->module().description(), weights.size_bytes()));
  NATSCOPE_CHECK(pass->upload_weights(std::move(stop)));
  const kernels::KvCacheShape shape{geometry.layers, geometry.kv_heads, geometry.head_dim, geometry.dtype};
  NATSCOPE_CHECK(
      from_status(pass->device_.create_cache(pass->handle_, &shape, config.context, &pass->cache_), "cache"));
  return pass;
}

Expected<const float*> DevicePass::keep(std::span<const float> numbers) {
  if (numbers.empty()) return nullptr;
  DeviceArray& array = kept_.emplace_back(*module_);
  NATSCOPE_CHECK(array.upload(numbers.data(), static_cast<std::int64_t>(numbers.size_bytes())));
  return array.as();
}

Expected<LinearRow> DevicePass::keep(const Matrix& matrix, std::span<const float> bias) {
  if (!matrix.present()) return LinearRow{};
  DeviceArray& array = kept_.emplace_back(*module_);
  NATSCOPE_CHECK(array.upload(matrix.data, matrix.rows * matrix.cols * kernels::element_bytes(matrix.dtype)));
  LinearRow product{array.as<void>(), matrix.dtype, matrix.rows, matrix.cols, nullptr, nullptr};
  NATSCOPE_TRY(product.bias, keep(bias));
  return product;
}

Expected<void> DevicePass::upload_weights(std::stop_token stop) {
  for (const PreparedLayer& from : weights_.layers()) {
    NATSCOPE_CHECK(check(stop));
    Layer& layer = layers_.emplace_back();
    NATSCOPE_TRY(layer.q, keep(from.q, from.q_bias));
    NATSCOPE_TRY(layer.k, keep(from.k, from.k_bias));
    NATSCOPE_TRY(layer.v, keep(from.v, from.v_bias));
    NATSCOPE_TRY(layer.o, keep(from.o, from.o_bias));
    NATSCOPE_TRY(layer.gate, keep(from.gate, from.gate_bias));
    NATSCOPE_TRY(layer.up, keep(from.up, from.up_bias));
    NATSCOPE_TRY(layer.down, keep(from.down, from.down_bias));
    NATSCOPE_TRY(layer.score, keep(from.score, {}));
    NATSCOPE_TRY(layer.input_norm, keep(from.input_norm));
    NATSCOPE_TRY(layer.post_attention_norm, keep(from.post_attention_norm));
    NATSCOPE_TRY(layer.q_norm, keep(from.q_norm));
    NATSCOPE_TRY(layer.k_norm, keep(from.k_norm));
  }
  NATSCOPE_TRY(lm_head_, keep(weights_.lm_head(), {}));
  NATSCOPE_TRY(norm_, keep(weights_.norm()));
  return from_status(device_.wait(handle_), "copy of the weights to the GPU");
}

Expected<void> DevicePass::reset_cache(std::int64_t window) {
  counts_ = {};
  return from_status(device_.reset_cache(handle_, cache_, window), "cache");
}

View<float, 3> DevicePass::heads_of(float* rows, std::int64_t heads) const {
  const std::int64_t head_dim = config_.head_dim;
  return {rows, {heads, chunk_, head_dim}, {head_dim, heads * head_dim, 1}};
}

View<Role, 2> DevicePass::roles(std::int32_t layer) const {
  return View<Role, 2>::packed(recorded<Role>(layer, layout_.roles), {config_.kv_heads, chunk_});
}

Expected<void> DevicePass::reserve(std::int32_t layers) {
  const auto rows = [&](DeviceArray& array, std::int64_t cols) { return array.reserve(chunk_ * cols * number_bytes); };
  const std::int64_t kept_layers = slots(layers);
  layout_ = DeviceRecordLayout(config_, chunk_);
  NATSCOPE_CHECK(rows(x_, config_.hidden));
  NATSCOPE_CHECK(rows(normed_, config_.hidden));
  NATSCOPE_CHECK(rows(attended_, config_.q_rows()));
  NATSCOPE_CHECK(rows(values_, kept_layers * config_.kv_rows()));
  NATSCOPE_CHECK(rows(gate_, config_.intermediate));
  NATSCOPE_CHECK(rows(up_, config_.intermediate));
  NATSCOPE_CHECK(record_.reserve(kept_layers * layout_.size_bytes));
  NATSCOPE_CHECK(host_record_.reserve(kept_layers * layout_.size_bytes));
  host_x_.resize(count(chunk_ * config_.hidden));
  host_prescribed_.resize(count(layers * chunk_ * config_.kv_heads));
  host_roles_.resize(count(chunk_ * config_.kv_heads));
  return from_status(device_.reserve_cache(handle_, cache_, chunk_, layers), "cache");
}

/// Embeddings, cosines and sines are made on the host: a few kilobytes a token, and the same numbers as the CPU's.
Expected<void> DevicePass::enter(std::span<const std::int32_t> tokens, TokenPos first) {
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    weights_.embed(tokens[row], std::span(host_x_).subspan(row * count(config_.hidden), count(config_.hidden)));
  }
  NATSCOPE_CHECK(x_.upload(host_x_.data(), chunk_ * config_.hidden * number_bytes));
  rotation_.set(first, chunk_);
  const std::int64_t angles_bytes = chunk_ * (config_.head_dim / 2) * number_bytes;
  NATSCOPE_CHECK(cosine_.upload(rotation_.cosine(0), angles_bytes));
  return sine_.upload(rotation_.sine(0), angles_bytes);
}

Expected<void> DevicePass::run(std::span<const std::int32_t> tokens, TokenPos first, PassObserver& observer,
                               ChunkExtent extent, std::stop_token stop) {
  chunk_ = rows_ = static_cast<std::int64_t>(tokens.size());
  row_ = 0;
  NATSCOPE_CHECK(reserve(extent.layers));
  NATSCOPE_CHECK(enter(tokens, first));
  NATSCOPE_CHECK(prescribe(extent.layers, first, observer));
  std::int32_t seen = 0;  // layers that the observer has seen
  for (std::int32_t index = 0; index < extent.layers; ++index) {
    NATSCOPE_CHECK(check(stop));
    const Layer& layer = layers_[count(index)];
    NATSCOPE_CHECK(project(layer, index));
    NATSCOPE_CHECK(attend(layer, index, first));
    if (chunk_ > 1) {
      NATSCOPE_CHECK(fetch_record(index, 1));
      NATSCOPE_CHECK(append(index, first));
    }
    if (index + 1 == extent.layers) {
      if (extent.hidden == ChunkExtent::Hidden::none) break;
      if (extent.hidden == ChunkExtent::Hidden::last) {
        row_ = chunk_ - 1;  // the last layer's products over all rows would be thrown away but for one
        rows_ = 1;
      }
    }
    const float* const attended = attended_.as() + row_ * config_.q_rows();
    NATSCOPE_CHECK(multiply(attended, layer.o, x_.as() + row_ * config_.hidden, true));
    NATSCOPE_CHECK(feed_forward(layer));
    if (chunk_ > 1 && index > 0) {  // the layer before, whose place the next one takes
      NATSCOPE_CHECK(from_status(device_.wait_mark(handle_, (index - 1) % 2), "pass on the GPU"));
      NATSCOPE_CHECK(show(seen++, first, observer));
    }
  }
  if (chunk_ == 1) {
    NATSCOPE_CHECK(fetch_record(0, extent.layers));
    for (std::int32_t index = 0; index < extent.layers; ++index) NATSCOPE_CHECK(append(index, first));
  }
  NATSCOPE_CHECK(from_status(device_.finish_pass(handle_, cache_, &counts_), "pass on the GPU"));
  while (seen < extent.layers) NATSCOPE_CHECK(show(seen++, first, observer));
  return {};
}

/// All layers' at once: a byte a token and KV head.
Expected<void> DevicePass::prescribe(std::int32_t layers, TokenPos first, const PassObserver& observer) {
  const std::int64_t layer_roles = config_.kv_heads * chunk_;
  for (std::int32_t index = 0; index < layers; ++index) {
    const std::span<Role> known = std::span(host_prescribed_).subspan(count(index * layer_roles), count(layer_roles));
    NATSCOPE_CHECK(
        observer.prescribe(LayerId(index), first, View<Role, 2>::packed(known.data(), {config_.kv_heads, chunk_})));
    if (layers_[count(index)].score.weight == nullptr && std::ranges::find(known, by_scores) != known.end())
      return fail(ErrorCode::internal, "roles by scores in a layer without scores");
  }
  global_bias_ = observer.global_bias();
  return prescribed_.upload(host_prescribed_.data(), layers * layer_roles * static_cast<std::int64_t>(sizeof(Role)));
}

Expected<void> DevicePass::normalise(const float* x, const float* weight, std::int64_t rows) {
  return from_status(device_.rms_norm(handle_, x, weight, rows, config_.hidden, eps(), rounds(), normed_.as()), "norm");
}

Expected<void> DevicePass::multiply(const float* x, LinearRow product, float* out, bool add) {
  product.out = out;
  return from_status(device_.linear(handle_, x, rows_, &product, add), "product");
}

Expected<void> DevicePass::project(const Layer& layer, std::int32_t index) {
  NATSCOPE_CHECK(normalise(x_.as(), layer.input_norm, chunk_));
  NATSCOPE_CHECK(multiply(normed_.as(), layer.q, queries(index)));
  NATSCOPE_CHECK(multiply(normed_.as(), layer.k, keys(index)));
  NATSCOPE_CHECK(multiply(normed_.as(), layer.v, values(index)));
  if (layer.score.weight != nullptr) NATSCOPE_CHECK(multiply(normed_.as(), layer.score, scores(index)));
  const auto turn = [&](float* heads, const float* norm, std::int64_t number) {
    return from_status(device_.turn_heads(handle_, heads, norm, cosine_.as(), sine_.as(), chunk_, number,
                                          config_.head_dim, eps(), rounds()),
                       "rotation");
  };
  NATSCOPE_CHECK(turn(queries(index), layer.q_norm, config_.heads));
  NATSCOPE_CHECK(turn(keys(index), layer.k_norm, config_.kv_heads));
  if (!rounds()) return {};
  return from_status(device_.round_to_bf16(handle_, values(index), chunk_ * config_.kv_rows()), "rounding");
}

Expected<void> DevicePass::attend(const Layer& layer, std::int32_t index, TokenPos first) {
  const kernels::ConstView<Role, 2> chunk_roles = roles(index);
  NATSCOPE_CHECK(from_status(device_.assign_roles(handle_, prescribed_.as<Role>() + index * config_.kv_heads * chunk_,
                                                  layer.score.weight != nullptr ? scores(index) : nullptr,
                                                  config_.kv_heads, chunk_, global_bias_, roles(index).data),
                             "roles"));
  const kernels::ConstView<float, 3> chunk_queries = heads_of(queries(index), config_.heads);
  const kernels::ConstView<float, 3> chunk_keys = heads_of(keys(index), config_.kv_heads);
  const kernels::ConstView<float, 3> chunk_values = heads_of(values(index), config_.kv_heads);
  const View<float, 3> out = heads_of(attended_.as(), config_.heads);
  const auto lse = View<float, 2>::packed(recorded(index, layout_.lse), {config_.heads, chunk_});
  NATSCOPE_CHECK(from_status(device_.attention(handle_, cache_, index, first.value, &chunk_queries, &chunk_keys,
                                               &chunk_values, &chunk_roles, &out, &lse),
                             "attention"));
  if (!rounds()) return {};
  return from_status(device_.round_to_bf16(handle_, attended_.as(), chunk_ * config_.q_rows()), "rounding");
}

/// Layers that lie one after the other, in one copy; a mark stands behind it.
Expected<void> DevicePass::fetch_record(std::int32_t layer, std::int32_t layers) {
  NATSCOPE_CHECK(from_status(
      device_.download(handle_, shown<std::byte>(layer, 0), recorded<std::byte>(layer, 0), layers * layout_.size_bytes),
      "copy from the GPU"));
  return from_status(device_.set_mark(handle_, layer % 2), "copy from the GPU");
}

/// What has come down of a layer. The observer decides once more, for its record, and must come to the same roles.
Expected<void> DevicePass::show(std::int32_t layer, TokenPos first, PassObserver& observer) {
  const bool has_scores = layers_[count(layer)].score.weight != nullptr;
  const auto scores =
      View<float, 2>::packed(has_scores ? shown(layer, layout_.scores) : nullptr, {chunk_, config_.score_rows()});
  NATSCOPE_CHECK(observer.decide(LayerId(layer), first, scores,
                                 View<Role, 2>::packed(host_roles_.data(), {config_.kv_heads, chunk_})));
  if (!std::ranges::equal(host_roles_, std::span(shown<Role>(layer, layout_.roles), host_roles_.size())))
    return fail(ErrorCode::internal, "the GPU and the record disagree on roles of layer " + std::to_string(layer));
  return observer.attended(LayerId(layer), first, heads_of(shown(layer, layout_.queries), config_.heads),
                           heads_of(shown(layer, layout_.keys), config_.kv_heads),
                           View<float, 2>::packed(shown(layer, layout_.lse), {config_.heads, chunk_}));
}

Expected<void> DevicePass::append(std::int32_t index, TokenPos first) {
  const kernels::ConstView<Role, 2> chunk_roles = roles(index);
  const kernels::ConstView<float, 3> chunk_keys = heads_of(keys(index), config_.kv_heads);
  const kernels::ConstView<float, 3> chunk_values = heads_of(values(index), config_.kv_heads);
  return from_status(device_.append(handle_, cache_, index, first.value, &chunk_roles, &chunk_keys, &chunk_values),
                     "cache");
}

Expected<void> DevicePass::feed_forward(const Layer& layer) {
  float* const x = x_.as() + row_ * config_.hidden;
  NATSCOPE_CHECK(normalise(x, layer.post_attention_norm, rows_));
  NATSCOPE_CHECK(multiply(normed_.as(), layer.gate, gate_.as()));
  NATSCOPE_CHECK(multiply(normed_.as(), layer.up, up_.as()));
  NATSCOPE_CHECK(from_status(device_.swiglu(handle_, gate_.as(), up_.as(), rows_ * config_.intermediate, rounds()),
                             "feed-forward"));
  return multiply(gate_.as(), layer.down, x, true);
}

Expected<void> DevicePass::logits(std::int64_t index, std::int64_t n, std::span<float> out) {
  const auto size_bytes = static_cast<std::int64_t>(out.size_bytes());
  NATSCOPE_CHECK(logits_.reserve(size_bytes));
  NATSCOPE_CHECK(normalise(x_.as() + (row_ + index) * config_.hidden, norm_, n));
  LinearRow head = lm_head_;
  head.out = logits_.as();
  NATSCOPE_CHECK(from_status(device_.linear(handle_, normed_.as(), n, &head, false), "product"));
  NATSCOPE_CHECK(from_status(device_.download(handle_, out.data(), logits_.as(), size_bytes), "copy from the GPU"));
  return from_status(device_.wait(handle_), "logits on the GPU");
}

}  // namespace natscope
