// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/device_pass.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "core/base/cancel.h"
#include "core/base/log.h"
#include "core/cache/kernel_status.h"
#include "core/device/device_memory.h"
#include "core/engine/passes/entry_moves.h"
#include "core/engine/products/torch_products.h"
#include "core/row_math/row_math.h"
#include "kernels/prescribed_role.h"
#include "kernels/shared_work.h"

namespace natscope {

namespace {

using kernels::LinearRow;
using kernels::View;

constexpr std::int64_t number_bytes = sizeof(float);  // of an int32, too
constexpr std::int64_t working_bytes = 1LL << 30U;

std::size_t count(std::int64_t number) { return static_cast<std::size_t>(number); }

/// Null, and a line in the log once a program, where the module has to do.
std::unique_ptr<TorchProducts> open_products(const DeviceModule& module, kernels::ElementType dtype) {
  auto opened = TorchProducts::open(module, dtype);
  if (opened) return std::move(*opened);
  static std::once_flag said;
  std::call_once(said, [&] {
    const Error& why = opened.error();
    log(LogLevel::warning,
        "prompts are read slowly, by a kernel for products of few rows: " + why.message + "; " + why.hint);
  });
  return nullptr;
}

}  // namespace

DevicePass::DevicePass(std::unique_ptr<DeviceModule> module, const ModelConfig& config, const PreparedWeights& weights,
                       const CacheGeometry& geometry)
    : module_(std::move(module)),
      device_(module_->operations()),
      handle_(module_->device()),
      config_(config),
      weights_(weights),
      dtype_(geometry.dtype),
      cached_layers_(geometry.layers),
      rotation_(config),
      device_weights_(*module_),
      shown_(config, device_weights_),
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
      drops_(*module_),
      self_scores_(*module_),
      host_record_(*module_),
      host_x_(*module_) {}

DevicePass::~DevicePass() {
  step_.reset();  // its recording names the cache
  for (kernels::DeviceCache* const cache : {cache_, blank_cache_}) {
    if (cache != nullptr) device_.free_cache(handle_, cache);
  }
}

Expected<std::unique_ptr<DevicePass>> DevicePass::create(std::unique_ptr<DeviceModule> module,
                                                         const ModelConfig& config, const PreparedWeights& weights,
                                                         const CacheGeometry& geometry, std::stop_token stop) {
  std::unique_ptr<DevicePass> pass(new DevicePass(std::move(module), config, weights, geometry));
  pass->products_ = open_products(pass->module(), geometry.dtype);
  NATSCOPE_CHECK(pass->device_weights_.upload(weights, std::move(stop)));
  NATSCOPE_TRY(pass->cache_, pass->make_cache());
  pass->step_ = std::make_unique<DeviceStep>(pass->module(), config, weights, pass->device_weights_, geometry.dtype,
                                             pass->cache_);
  return pass;
}

Expected<kernels::DeviceCache*> DevicePass::make_cache() const {
  const kernels::KvCacheShape shape{cached_layers_, config_.kv_heads, config_.head_dim, dtype_};
  kernels::DeviceCache* cache = nullptr;
  const kernels::Status made = device_.create_cache(handle_, &shape, config_.context, &cache);
  if (made.code == kernels::StatusCode::unsupported_shape)
    return fail(ErrorCode::device_unavailable, std::string("the GPU cannot take this model: ") + made.detail);
  NATSCOPE_CHECK(from_status(made, "cache"));
  return cache;
}

Expected<void> DevicePass::attend_alone() {
  NATSCOPE_TRY(blank_cache_, make_cache());
  return {};
}

Expected<void> DevicePass::reset_cache(std::int64_t window, const std::optional<kernels::ScoreRule>& rule) {
  counts_ = {};
  if (attention_) attention_->reset();
  if (step_) step_->forget();
  const auto reset = [&](kernels::DeviceCache* cache, const kernels::ScoreRule* by) {
    return with_idle_memory(module(), [&] { return device_.reset_cache(handle_, cache, window, by); });
  };
  if (blank_cache_ != nullptr) NATSCOPE_CHECK(from_status(reset(blank_cache_, nullptr), "cache"));
  return from_status(reset(cache_, rule ? &*rule : nullptr), "cache");
}

View<Role, 2> DevicePass::roles(std::int32_t layer) const {
  return View<Role, 2>::packed(recorded<Role>(layer, layout_.roles), {config_.kv_heads, chunk_});
}

std::int64_t DevicePass::most_tokens() const {
  const std::int64_t numbers = 2 * config_.hidden + config_.q_rows() + 2 * config_.kv_rows() + 2 * config_.intermediate;
  return std::max<std::int64_t>(
      16,
      working_bytes / (numbers * number_bytes + 2 * DeviceRecordLayout(config_, 1, PassDrops::after_each).size_bytes));
}

Expected<void> DevicePass::reserve(std::int32_t layers, PassDrops drops) {
  const auto rows = [&](DeviceArray& array, std::int64_t cols) { return array.reserve(chunk_ * cols * number_bytes); };
  constexpr std::int64_t kept_layers = 2;
  layout_ = DeviceRecordLayout(config_, chunk_, drops);
  NATSCOPE_CHECK(rows(x_, config_.hidden));
  NATSCOPE_CHECK(rows(normed_, config_.hidden));
  NATSCOPE_CHECK(rows(attended_, config_.q_rows()));
  NATSCOPE_CHECK(rows(values_, kept_layers * config_.kv_rows()));
  NATSCOPE_CHECK(rows(gate_, config_.intermediate));
  NATSCOPE_CHECK(rows(up_, config_.intermediate));
  NATSCOPE_CHECK(record_.reserve(kept_layers * layout_.size_bytes));
  NATSCOPE_CHECK(host_record_.reserve(kept_layers * layout_.size_bytes));
  NATSCOPE_CHECK(host_x_.reserve(chunk_ * config_.hidden * number_bytes));
  host_prescribed_.resize(count(layers * chunk_ * config_.kv_heads));
  if (layout_.with_drops) host_drops_.resize(host_prescribed_.size());
  if (layout_.one_by_one) NATSCOPE_CHECK(self_scores_.reserve(config_.kv_heads * number_bytes));
  if (attention_) return {};
  const auto room = [&] { return device_.reserve_cache(handle_, cache_, chunk_, layers); };
  return from_status(with_idle_memory(module(), room), "cache");
}

/// Embeddings, cosines and sines are made on the host: a few kilobytes a token, and the same numbers as the CPU's.
Expected<void> DevicePass::enter(std::span<const std::int32_t> tokens, TokenPos first) {
  auto* const rows = reinterpret_cast<float*>(host_x_.data());
  kernels::share_rows(chunk_, row_math::loop_ns(config_.hidden), [&](std::int64_t row) {
    weights_.embed(tokens[count(row)], {rows + row * config_.hidden, count(config_.hidden)});
  });
  NATSCOPE_CHECK(x_.upload(rows, chunk_ * config_.hidden * number_bytes));
  rotation_.set(first, chunk_);
  const std::int64_t angles_bytes = chunk_ * rotation_.pairs() * number_bytes;
  NATSCOPE_CHECK(cosine_.upload(rotation_.cosine(0), angles_bytes));
  return sine_.upload(rotation_.sine(0), angles_bytes);
}

Expected<void> DevicePass::run(std::span<const std::int32_t> tokens, TokenPos first, PassObserver& observer,
                               ChunkExtent extent, std::stop_token stop) {
  if (attention_ && tokens.size() < 2)
    return fail(ErrorCode::usage, "flash attention is here for chunks of two tokens and more");
  chunk_ = rows_ = static_cast<std::int64_t>(tokens.size());
  row_ = 0;
  // What a prompt's last tokens weigh is looked at behind a longer pass only, be it of one token.
  const PassDrops drops = observer.drops(first, chunk_);
  is_step_ = chunk_ == 1 && (drops == PassDrops::none || drops == PassDrops::after_each);
  if (!is_step_) return run_chunk(tokens, first, observer, extent, stop);
  NATSCOPE_CHECK(check(stop));
  return step_->run(tokens.front(), first, observer, extent, counts_);
}

Expected<void> DevicePass::run_chunk(std::span<const std::int32_t> tokens, TokenPos first, PassObserver& observer,
                                     ChunkExtent extent, const std::stop_token& stop) {
  // A pass that ended early may have left copies that still read what is written now.
  if (is_under_way_) NATSCOPE_CHECK(from_status(device_.wait(handle_), "pass on the GPU"));
  is_under_way_ = true;
  const PassDrops drops = observer.drops(first, chunk_);
  NATSCOPE_CHECK(reserve(extent.layers, drops));
  NATSCOPE_CHECK(enter(tokens, first));
  NATSCOPE_CHECK(prescribe(extent.layers, first, observer));
  std::int32_t seen = 0;  // layers that the observer has seen
  const auto show = [&]() -> Expected<void> {
    std::byte* const record = host_record_.data() + slot(seen) * layout_.size_bytes;
    const bool attended = shows_attended_[count(slot(seen))];
    return shown_.show(seen++, first, chunk_, layout_, record, observer, attended);
  };
  for (std::int32_t index = 0; index < extent.layers; ++index) {
    NATSCOPE_CHECK(check(stop));
    const DeviceLayer& layer = device_weights_.layer(index);
    NATSCOPE_CHECK(project(layer, index));
    NATSCOPE_CHECK(decide_roles(layer, index));
    if (layout_.one_by_one) {
      NATSCOPE_CHECK(attend_one_by_one(index, first, stop));
      NATSCOPE_CHECK(fetch_record(index, observer));
    } else {
      NATSCOPE_CHECK(attend(index, first));
      NATSCOPE_CHECK(fetch_record(index, observer));
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
    NATSCOPE_CHECK(multiply(attended, rows_, {into(x_.as() + row_ * config_.hidden, layer.o)}, true));
    NATSCOPE_CHECK(feed_forward(layer));
    if (index > 0) {  // the layer before, whose place the next one takes
      NATSCOPE_CHECK(from_status(device_.wait_mark(handle_, (index - 1) % 2), "pass on the GPU"));
      NATSCOPE_CHECK(show());
    }
  }
  if (!attention_) NATSCOPE_CHECK(from_status(device_.end_appends(handle_, cache_), "cache"));
  NATSCOPE_CHECK(from_status(device_.wait(handle_), "pass on the GPU"));
  is_under_way_ = false;
  if (attention_) {
    counts_ = attention_->counts();
  } else {
    NATSCOPE_CHECK(from_status(device_.cache_counts(handle_, cache_, &counts_), "cache"));
  }
  while (seen < extent.layers) NATSCOPE_CHECK(show());
  if (drops != PassDrops::after_last) return {};
  return drop_behind_prompt(extent.layers, TokenPos(first.value + static_cast<std::int32_t>(chunk_ - 1)), observer,
                            stop);
}

/// All layers' at once: a byte a token and KV head, where entries have scores five.
Expected<void> DevicePass::prescribe(std::int32_t layers, TokenPos first, const PassObserver& observer) {
  if (layout_.with_drops) {
    NATSCOPE_CHECK(shown_.prescribe_drops(layers, first, chunk_, observer, host_drops_));
    NATSCOPE_CHECK(drops_.upload(host_drops_.data(),
                                 layers * chunk_ * config_.kv_heads * static_cast<std::int64_t>(sizeof(std::int32_t))));
  }
  NATSCOPE_CHECK(shown_.prescribe(layers, first, chunk_, observer, host_prescribed_));
  global_bias_ = observer.global_bias();
  return prescribed_.upload(host_prescribed_.data(),
                            layers * chunk_ * config_.kv_heads * static_cast<std::int64_t>(sizeof(Role)));
}

Expected<void> DevicePass::normalise(const float* x, const float* weight, std::int64_t rows) {
  return from_status(device_.rms_norm(handle_, x, weight, rows, config_.hidden,
                                      static_cast<float>(config_.stream_norm_eps()), rounds(), normed_.as()),
                     "norm");
}

Expected<void> DevicePass::multiply(const float* x, std::int64_t rows, std::initializer_list<LinearRow> products,
                                    bool add) {
  if (products_ && rows >= TorchProducts::least_rows)
    return products_->run(x, rows, {products.begin(), products.size()}, add);
  for (const LinearRow& product : products) {
    NATSCOPE_CHECK(from_status(device_.linear(handle_, x, rows, &product, add), "product"));
  }
  return {};
}

Expected<void> DevicePass::project(const DeviceLayer& layer, std::int32_t index) {
  NATSCOPE_CHECK(normalise(x_.as(), layer.input_norm, chunk_));
  const LinearRow q = into(queries(index), layer.q);
  const LinearRow k = into(keys(index), layer.k);
  const LinearRow v = into(values(index), layer.v);
  NATSCOPE_CHECK(layer.has_scores() ? multiply(normed_.as(), chunk_, {q, k, v, into(scores(index), layer.score)})
                                    : multiply(normed_.as(), chunk_, {q, k, v}));
  const auto turn = [&](float* heads, const float* norm, std::int64_t number) {
    return from_status(
        device_.turn_heads(handle_, heads, norm, cosine_.as(), sine_.as(), chunk_, number, config_.head_dim,
                           config_.rotated_dim(index), static_cast<float>(config_.rms_norm_eps), rounds()),
        "rotation");
  };
  NATSCOPE_CHECK(turn(queries(index), layer.q_norm, config_.heads));
  NATSCOPE_CHECK(turn(keys(index), layer.k_norm, config_.kv_heads));
  if (!rounds()) return {};
  return from_status(device_.round_to_bf16(handle_, values(index), chunk_ * config_.kv_rows()), "rounding");
}

Expected<void> DevicePass::decide_roles(const DeviceLayer& layer, std::int32_t index) {
  return from_status(device_.assign_roles(handle_, prescribed_.as<Role>() + index * config_.kv_heads * chunk_,
                                          layer.has_scores() ? scores(index) : nullptr, config_.kv_heads, chunk_,
                                          global_bias_, roles(index).data),
                     "roles");
}

Expected<void> DevicePass::attend(std::int32_t index, TokenPos first) {
  const kernels::ConstView<Role, 2> chunk_roles = roles(index);
  const kernels::ConstView<float, 3> chunk_queries = heads_of(queries(index), config_.heads);
  const kernels::ConstView<float, 3> chunk_keys = heads_of(keys(index), config_.kv_heads);
  const kernels::ConstView<float, 3> chunk_values = heads_of(values(index), config_.kv_heads);
  const View<float, 3> out = heads_of(attended_.as(), config_.heads);
  const auto lse = View<float, 2>::packed(recorded(index, layout_.lse), {config_.heads, chunk_});
  if (attention_) return attention_->run(LayerId(index), first, chunk_queries, chunk_keys, chunk_values, out, lse);
  kernels::DeviceCache* const cache = blank_cache_ != nullptr ? blank_cache_ : cache_;
  const auto attention = [&] {
    return device_.attention(handle_, cache, index, blank_cache_ != nullptr ? 0 : first.value, &chunk_queries,
                             &chunk_keys, &chunk_values, &chunk_roles, rounds(), &out, &lse, nullptr);
  };
  return from_status(with_idle_memory(module(), attention), "attention");
}

/// H2O, TOVA: what a token leaves behind depends on the attention of every token before it. SnapKV and its like: what
/// the last tokens of a prompt look at is added up.
Expected<void> DevicePass::attend_one_by_one(std::int32_t index, TokenPos first, const std::stop_token& stop) {
  const std::int64_t kv_heads = config_.kv_heads;
  const View<Role, 2> chunk_roles = roles(index);
  for (std::int64_t row = 0; row < chunk_; ++row) {
    NATSCOPE_CHECK(check(stop));
    const auto of_token = [&](float* rows, std::int64_t heads) {
      return heads_of_rows(rows + row * heads * config_.head_dim, 1, heads, config_.head_dim);
    };
    const kernels::ConstView<float, 3> query = of_token(queries(index), config_.heads);
    const kernels::ConstView<float, 3> key = of_token(keys(index), kv_heads);
    const kernels::ConstView<float, 3> value = of_token(values(index), kv_heads);
    const kernels::ConstView<Role, 2> role{&chunk_roles(0, row), {kv_heads, 1}, chunk_roles.strides};
    const View<float, 3> out = of_token(attended_.as(), config_.heads);
    const auto lse = View<float, 2>::packed(recorded(index, layout_.lse) + row * config_.heads, {config_.heads, 1});
    const std::int32_t position = first.value + static_cast<std::int32_t>(row);
    NATSCOPE_CHECK(from_status(device_.attention(handle_, cache_, index, position, &query, &key, &value, &role,
                                                 rounds(), &out, &lse, self_scores_.as()),
                               "attention"));
    NATSCOPE_CHECK(from_status(device_.append(handle_, cache_, index, position, &role, &key, &value), "cache"));
    if (!layout_.with_drops) continue;
    const auto number = [&](std::int32_t* rows) {
      return View<std::int32_t, 2>::packed(rows + row * kv_heads, {1, kv_heads});
    };
    const kernels::TokenDrops call{
        .layer = index,
        .self_scores = kernels::ConstView<float, 2>::packed(self_scores_.as(), {1, kv_heads}),
        .prescribed = number(drops_.as<std::int32_t>() + index * chunk_ * kv_heads),
        .dropped = number(recorded<std::int32_t>(index, layout_.dropped)),
        .held = number(recorded<std::int32_t>(index, layout_.held))};
    NATSCOPE_CHECK(from_status(device_.keep_by_scores(handle_, cache_, &call), "cache"));
  }
  return {};
}

/// All layers have all of the prompt, and no entry has gone yet: every position is in the slot of its number. The
/// scores go to the observer, and what it says goes, layer by layer.
Expected<void> DevicePass::drop_behind_prompt(std::int32_t layers, TokenPos now, PassObserver& observer,
                                              const std::stop_token& stop) {
  const std::int64_t tokens = std::int64_t{now.value} + 1;
  const std::int64_t kv_heads = config_.kv_heads;
  if (counts_.entries != layers * kv_heads * tokens)
    return fail(ErrorCode::internal, "the GPU's cache does not hold the whole prompt behind it");
  std::int64_t left = counts_.entries;
  std::vector<float> scores(count(kv_heads * tokens));
  std::vector<std::vector<TokenPos>> gone;
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    NATSCOPE_CHECK(check(stop));
    const auto rows = View<float, 2>::packed(scores.data(), {kv_heads, tokens});
    NATSCOPE_CHECK(from_status(device_.read_scores(handle_, cache_, layer, &rows), "copy from the GPU"));
    NATSCOPE_CHECK(from_status(device_.wait(handle_), "pass on the GPU"));
    NATSCOPE_CHECK(observer.choose_drops(LayerId(layer), now, rows, gone));
    const EntryMoves moves(gone, tokens);
    if (moves.dropped() == 0) continue;
    NATSCOPE_CHECK(drops_.upload(moves.numbers().data(), std::ssize(moves.numbers()) * number_bytes));
    const kernels::EntryDrops call = moves.call(LayerId(layer), drops_.as<std::int32_t>());
    NATSCOPE_CHECK(from_status(device_.drop_entries(handle_, cache_, &call), "cache"));
    left -= moves.dropped();
  }
  NATSCOPE_CHECK(from_status(device_.end_appends(handle_, cache_), "cache"));
  NATSCOPE_CHECK(from_status(device_.wait(handle_), "pass on the GPU"));
  NATSCOPE_CHECK(from_status(device_.cache_counts(handle_, cache_, &counts_), "cache"));
  if (counts_.entries != left)
    return fail(ErrorCode::internal, "the GPU's cache did not drop what it was told to behind the prompt");
  return {};
}

/// What the observer will look at; a mark stands behind it. Queries and keys are nearly all of a record, and of a long
/// prompt more than the bus carries in the time: they stay where nobody keeps them.
Expected<void> DevicePass::fetch_record(std::int32_t layer, const PassObserver& observer) {
  const bool attended = observer.wants_attended(LayerId(layer));
  shows_attended_[count(slot(layer))] = attended;
  const std::int64_t skipped_bytes = attended ? 0 : layout_.attended_bytes();
  const std::int64_t place = slot(layer) * layout_.size_bytes + skipped_bytes;
  NATSCOPE_CHECK(from_status(device_.download(handle_, host_record_.data() + place, record_.as<std::byte>() + place,
                                              layout_.size_bytes - skipped_bytes),
                             "copy from the GPU"));
  return from_status(device_.set_mark(handle_, static_cast<std::int32_t>(slot(layer))), "copy from the GPU");
}

Expected<void> DevicePass::append(std::int32_t index, TokenPos first) {
  if (attention_) return {};
  const kernels::ConstView<Role, 2> chunk_roles = roles(index);
  const kernels::ConstView<float, 3> chunk_keys = heads_of(keys(index), config_.kv_heads);
  const kernels::ConstView<float, 3> chunk_values = heads_of(values(index), config_.kv_heads);
  return from_status(device_.append(handle_, cache_, index, first.value, &chunk_roles, &chunk_keys, &chunk_values),
                     "cache");
}

Expected<void> DevicePass::feed_forward(const DeviceLayer& layer) {
  float* const x = x_.as() + row_ * config_.hidden;
  NATSCOPE_CHECK(normalise(x, layer.post_attention_norm, rows_));
  NATSCOPE_CHECK(multiply(normed_.as(), rows_, {into(gate_.as(), layer.gate), into(up_.as(), layer.up)}));
  NATSCOPE_CHECK(from_status(device_.swiglu(handle_, gate_.as(), up_.as(), rows_ * config_.intermediate, rounds()),
                             "feed-forward"));
  return multiply(gate_.as(), rows_, {into(x, layer.down)}, true);
}

Expected<void> DevicePass::logits(std::int64_t index, std::int64_t n, std::span<float> out) {
  if (is_step_) {
    std::ranges::copy(step_->logits(), out.begin());
    return {};
  }
  const auto size_bytes = static_cast<std::int64_t>(out.size_bytes());
  NATSCOPE_CHECK(logits_.reserve(size_bytes));
  NATSCOPE_CHECK(normalise(x_.as() + (row_ + index) * config_.hidden, device_weights_.norm(), n));
  NATSCOPE_CHECK(multiply(normed_.as(), n, {into(logits_.as(), device_weights_.lm_head())}));
  NATSCOPE_CHECK(from_status(device_.download(handle_, out.data(), logits_.as(), size_bytes), "copy from the GPU"));
  return from_status(device_.wait(handle_), "logits on the GPU");
}

}  // namespace natscope
