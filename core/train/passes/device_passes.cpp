// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/device_passes.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "core/device/torch_types.h"
#include "core/model/rope.h"
#include "core/train/passes/device_training_state.h"
#include "core/train/passes/llama_operations.h"
#include "core/train/roles/device_role_attention.h"
#include "core/train/roles/role_counts.h"

namespace natscope::train {

namespace {

/// Rows of logits that exist at a time.
constexpr std::int64_t logit_rows = 8192;

/// A block of weights that is used as one matrix (or vector), and where it stands in the layout.
struct Block {
  std::int64_t offset = 0;
  at::Tensor tensor;  // f32, a leaf
};

struct LayerBlocks {
  Block attention_norm, qkv, o, mlp_norm, gate_up, down, scores;
};

/// Numbers of the gradient that are told as one, [begin, end).
struct Part {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

struct Leaf {
  const Block* block = nullptr;
  std::size_t part = 0;
};

/// The gradient of a backward pass that is under way.
struct Arrival {
  at::Tensor flat;                                                            // [layout.size], where it is added
  std::function<Expected<void>(std::int64_t begin, std::int64_t end)> ready;  // may be empty
  std::vector<int> missing;                                                   // leaves of each part
  Expected<void> told;                                                        // what the first telling that failed said
};

/// What is behind the last norm.
struct Head {
  at::Tensor nll;     // sum over predicted tokens, f64 []
  at::Tensor d_last;  // gradient of the last norm's output; undefined in an evaluation
};

class DevicePasses final : public TrainingPasses {
 public:
  DevicePasses(const ModelConfig& config, kernels::ElementType dtype, int segments, at::Device device,
               std::unique_ptr<TrainingAttention> attention, const FixedMask& mask)
      : c_(config),
        segments_(segments),
        rows_(std::int64_t{segments} * config.context),
        device_(device),
        dtype_(dtype),
        products_(torch_type(dtype)),
        attention_(std::move(attention)),
        setups_(static_cast<std::size_t>(config.layers)) {
    layout = parameter_layout(config);
    state_.emplace(layout, device);
    place_blocks();
    place_leaves();
    rotation_ = make_rotation(RotaryEmbedding(c_), c_.context, device_);
    const at::Tensor roles = at::empty({c_.context}, at::kByte);
    std::copy(mask.roles.begin(), mask.roles.end(), static_cast<Role*>(roles.data_ptr()));
    fixed_roles_ = roles.to(device_).expand({segments_, c_.kv_heads, c_.context}).contiguous();
    window_ = c_.nats ? c_.nats->window : mask.window;
  }

  void set_weights(std::span<const float> weights) override { state_->set_weights(weights); }
  DeviceTrainingState* device_state() override { return &*state_; }

  Expected<PassResult> forward_backward(const MicroBatch& batch, const StepContext& context, std::span<float> gradient,
                                        const StopToken& stop) override {
    PassResult result;
    at::Tensor flat = gradient.empty() ? state_->gradient() : at::zeros({layout.size}, on_device());
    const at::Tensor targets = on_device(batch.targets);
    NATSCOPE_TRY(const at::Tensor last, forward(batch, &context, stop));
    NATSCOPE_TRY(const Head loss, head(targets, last, context.loss_scale, &flat, stop));

    // An array of the caller's has the gradient when all of it is there, and not part by part.
    arrival_ = {flat, gradient.empty() ? context.gradient_ready : nullptr, std::vector<int>(parts_.size()), {}};
    torch::autograd::variable_list leaves;
    for (const Leaf& leaf : leaves_) {
      leaves.push_back(leaf.block->tensor);
      ++arrival_.missing[leaf.part];
    }
    torch::autograd::grad({last}, leaves, {loss.d_last}, std::nullopt, false, /*allow_unused=*/true);
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_CHECK(std::move(arrival_.told));
    if (!gradient.empty()) at::from_blob(gradient.data(), {layout.size}, at::kFloat).add_(flat.cpu());
    report(batch, loss, segments_, true, result);
    if (context.gradient_ready) {
      for (std::size_t part = 0; part < parts_.size(); ++part) {
        const bool is_told = arrival_.ready && arrival_.missing[part] == 0;
        if (!is_told) NATSCOPE_CHECK(context.gradient_ready(parts_[part].begin, parts_[part].end));
      }
    }
    return result;
  }

  Expected<PassResult> evaluate(const MicroBatch& batch, int counted, const StopToken& stop) override {
    const at::NoGradGuard no_gradient;
    PassResult result;
    const at::Tensor targets = on_device(batch.targets);
    NATSCOPE_TRY(const at::Tensor last, forward(batch, nullptr, stop));
    NATSCOPE_TRY(const Head loss, head(targets, last, 1.0, nullptr, stop));
    report(batch, loss, counted, false, result);
    return result;
  }

 private:
  [[nodiscard]] at::TensorOptions on_device() const { return at::TensorOptions().dtype(at::kFloat).device(device_); }

  /// A leaf over the weights' own memory: set_weights() changes it in place.
  [[nodiscard]] Block block(std::int64_t offset, at::IntArrayRef sizes) const {
    std::int64_t count = 1;
    for (const std::int64_t size : sizes) count *= size;
    at::Tensor leaf = state_->weights().narrow(0, offset, count).view(sizes).detach();
    leaf.requires_grad_(true);
    return {offset, leaf};
  }

  void place_blocks() {
    const std::int64_t hidden = c_.hidden, inner = c_.intermediate;
    for (const LayerOffsets& at : layout.layers) {
      LayerBlocks& layer = layers_.emplace_back();
      layer.attention_norm = block(at.attention_norm, {hidden});
      layer.qkv = block(at.qkv, {c_.q_rows() + 2 * c_.kv_rows(), hidden});
      layer.o = block(at.o, {hidden, c_.q_rows()});
      layer.mlp_norm = block(at.mlp_norm, {hidden});
      layer.gate_up = block(at.gate_up, {2 * inner, hidden});
      layer.down = block(at.down, {hidden, inner});
      if (c_.nats) layer.scores = block(at.scores, {c_.score_rows(), hidden});
    }
    embedding_ = block(layout.embedding, {c_.vocab, hidden});
    final_norm_ = block(layout.final_norm, {hidden});
  }

  /// Says what is told as one part, and what is done with a leaf's gradient as soon as the backward pass has it.
  void place_leaves() {
    for (int i = c_.layers - 1; i >= 0; --i) parts_.push_back({layout.layer_begin(i), layout.layer_begin(i + 1)});
    const std::size_t embedding = parts_.size();
    parts_.push_back({layout.embedding, layout.layer_begin(0)});
    const std::size_t rest = parts_.size();  // the last norm, and all score layers
    parts_.push_back({layout.final_norm, layout.size});
    leaves_ = {{&embedding_, embedding}, {&final_norm_, rest}};
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      LayerBlocks& layer = layers_[i];
      for (const Block* block :
           {&layer.attention_norm, &layer.qkv, &layer.o, &layer.mlp_norm, &layer.gate_up, &layer.down})
        leaves_.push_back({block, layers_.size() - 1 - i});
      if (c_.nats) leaves_.push_back({&layer.scores, rest});
    }
    for (const Leaf& leaf : leaves_)
      leaf.block->tensor.register_hook([this, &leaf](const at::Tensor& gradient) { arrive(leaf, gradient); });
  }

  /// Called by autograd, on a thread of its own where it computes on a GPU.
  void arrive(const Leaf& leaf, const at::Tensor& gradient) {
    arrival_.flat.narrow(0, leaf.block->offset, gradient.numel()).add_(gradient.reshape({-1}));
    if (--arrival_.missing[leaf.part] == 0 && arrival_.ready && arrival_.told)
      arrival_.told = arrival_.ready(parts_[leaf.part].begin, parts_[leaf.part].end);
  }

  /// What products read: rounded to their type.
  [[nodiscard]] at::Tensor rounded(const at::Tensor& x) const { return x.to(products_); }
  [[nodiscard]] at::Tensor normalise(const at::Tensor& x, const at::Tensor& weight) const {
    return rounded(rms_normalised(x, rounded(weight), c_.rms_norm_eps));
  }

  /// Waits for all that the device has been given: asked for before there is much of that.
  [[nodiscard]] at::Tensor on_device(std::span<const std::int32_t> numbers) const {
    return at::from_blob(const_cast<std::int32_t*>(numbers.data()), {static_cast<std::int64_t>(numbers.size())},
                         at::kInt)
        .to(device_)
        .to(at::kLong);
  }

  /// What a pass came to. It is asked for when all of it is on its way: until here nobody waited for the device.
  void report(const MicroBatch& batch, const Head& loss, std::int64_t counted, bool sampled, PassResult& result) const {
    result.nll = loss.nll.item<double>();
    result.tokens = std::count_if(batch.targets.begin(), batch.targets.end(), [](std::int32_t t) { return t >= 0; });
    if (!c_.nats) return;
    count(&DeviceRoleSetup::chosen, counted, c_.context, result.argmax);
    if (sampled) count(&DeviceRoleSetup::roles, counted, c_.context - 1, result.sampled);
  }

  /// Of each segment the first `length` tokens.
  void count(at::Tensor DeviceRoleSetup::*roles, std::int64_t counted, std::int64_t length,
             RoleStatistics& statistics) const {
    std::vector<at::Tensor> layers;
    for (const DeviceRoleSetup& setup : setups_) layers.push_back(setup.*roles);
    statistics.heads.resize(static_cast<std::size_t>(c_.layers * c_.kv_heads));
    count_roles(at::cat(layers, 1), counted, length, c_.nats->window, statistics.heads.data());
  }

  /// x + attention(norm(x)), x [N, E].
  [[nodiscard]] at::Tensor attention(int i, const at::Tensor& x, const StepContext* context) {
    LayerBlocks& w = layers_[static_cast<std::size_t>(i)];
    const at::Tensor normal = normalise(x, w.attention_norm.tensor);
    const std::vector<at::Tensor> qkv =
        product(normal, w.qkv.tensor, products_).split_with_sizes({c_.q_rows(), c_.kv_rows(), c_.kv_rows()}, 1);
    const auto heads = [&](std::size_t part, std::int64_t number) {
      return qkv[part].view({segments_, c_.context, number, c_.head_dim});
    };
    const at::Tensor q = rotated(heads(0, c_.heads), rotation_);
    const at::Tensor k = rotated(heads(1, c_.kv_heads), rotation_);
    const at::Tensor v = heads(2, c_.kv_heads).transpose(1, 2);

    DeviceRoleSetup& setup = setups_[static_cast<std::size_t>(i)];
    setup = {};
    setup.attention = attention_.get();
    setup.window = window_;
    setup.dtype = dtype_;
    setup.roles = fixed_roles_;
    at::Tensor scores;
    if (c_.nats) {
      // The scores' gradient does not flow into their input (section 2); they are never rounded.
      scores = at::linear(normal.detach().to(at::kFloat), rounded(w.scores.tensor).to(at::kFloat))
                   .view({segments_, c_.context, c_.kv_heads, role_count});
      setup.chosen = chosen_roles(scores, c_.nats->global_bias);
      if (context == nullptr) {
        setup.roles = setup.chosen;
      } else {
        const CounterRandom random(context->seed, random_purpose::role_noise, static_cast<std::uint64_t>(context->step),
                                   static_cast<std::uint64_t>(i));
        setup.noise = role_noise(segments_, c_.context, c_.kv_heads, random, context->first_row, device_);
        setup.applied_sparsity = context->applied_sparsity;
        setup.local_charge = context->local_charge;
      }
    }
    const at::Tensor out = device_role_attention(q, k, v, scores, setup);
    const at::Tensor attended = rounded(out.transpose(1, 2).reshape({rows_, c_.q_rows()}));
    return x + rounded_product(attended, w.o.tensor, products_);
  }

  /// x + feed-forward(norm(x)).
  [[nodiscard]] at::Tensor feed_forward(int i, const at::Tensor& x) {
    LayerBlocks& w = layers_[static_cast<std::size_t>(i)];
    const at::Tensor normal = normalise(x, w.mlp_norm.tensor);
    const at::Tensor inner = swiglu(rounded_product(normal, w.gate_up.tensor, products_));
    return x + rounded_product(inner, w.down.tensor, products_);
  }

  /// The last residual stream after its norm, [N, E] rounded.
  Expected<at::Tensor> forward(const MicroBatch& batch, const StepContext* context, const StopToken& stop) {
    at::Tensor x = rounded(at::embedding(embedding_.tensor, on_device(batch.tokens))).to(at::kFloat);
    for (int i = 0; i < c_.layers; ++i) {
      NATSCOPE_CHECK(check(stop));
      x = feed_forward(i, attention(i, x, context));
    }
    return normalise(x, final_norm_.tensor);
  }

  /// Loss, and with `flat` the gradient of scale · Σ nll: of the embedding as output matrix into `flat`, of `last` in
  /// the result. A chunk of rows at a time.
  Expected<Head> head(const at::Tensor& targets, const at::Tensor& last, double scale, at::Tensor* flat,
                      const StopToken& stop) {
    const at::NoGradGuard no_gradient;
    const at::Tensor matrix = rounded(embedding_.tensor);
    const at::Tensor normal = last.detach();
    at::Tensor d_last = flat != nullptr ? at::empty_like(normal) : at::Tensor();
    at::Tensor d_matrix =
        flat != nullptr ? flat->narrow(0, embedding_.offset, matrix.numel()).view({c_.vocab, c_.hidden}) : at::Tensor();
    at::Tensor nll = at::zeros({}, on_device().dtype(at::kDouble));
    for (std::int64_t begin = 0; begin < rows_; begin += logit_rows) {
      NATSCOPE_CHECK(check(stop));
      const std::int64_t rows = std::min(logit_rows, rows_ - begin);
      const at::Tensor in = normal.narrow(0, begin, rows);
      const at::Tensor wanted = targets.narrow(0, begin, rows);
      const at::Tensor counts = wanted.ge(0).to(at::kFloat).unsqueeze(1);
      const at::Tensor place = wanted.clamp_min(0).unsqueeze(1);
      const at::Tensor likelihood = at::linear(in, matrix).log_softmax(-1, at::kFloat);
      nll -= (likelihood.gather(1, place) * counts).sum(at::kDouble);
      if (flat == nullptr) continue;
      const at::Tensor& d_logits = likelihood.exp_();  // in its place: no array here is larger
      d_logits.scatter_add_(1, place, at::full_like(counts, -1.0)).mul_(counts * scale);
      const at::Tensor d = rounded(d_logits);
      d_last.narrow(0, begin, rows).copy_(at::mm(d, matrix));
      d_matrix += at::mm(d.t(), in).to(at::kFloat);
    }
    return Head{nll, d_last};
  }

  ModelConfig c_;
  std::int64_t segments_, rows_;
  std::int64_t window_ = 0;
  at::Device device_;
  kernels::ElementType dtype_;
  at::ScalarType products_;
  std::unique_ptr<TrainingAttention> attention_;
  std::optional<DeviceTrainingState> state_;
  at::Tensor fixed_roles_;
  RotationTensors rotation_;
  Block embedding_, final_norm_;
  std::vector<LayerBlocks> layers_;
  std::vector<Leaf> leaves_;
  std::vector<Part> parts_;  // in the order in which they stand
  Arrival arrival_;
  std::vector<DeviceRoleSetup> setups_;  // of the pass at hand; autograd points to them
};

}  // namespace

std::unique_ptr<TrainingPasses> make_device_passes(const ModelConfig& config, kernels::ElementType dtype, int segments,
                                                   at::Device device, std::unique_ptr<TrainingAttention> attention,
                                                   const FixedMask& mask) {
  return std::make_unique<DevicePasses>(config, dtype, segments, device, std::move(attention), mask);
}

}  // namespace natscope::train
