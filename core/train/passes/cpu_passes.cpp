// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/cpu_passes.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/device/torch_types.h"
#include "core/model/rope.h"
#include "core/train/passes/bf16_product.h"
#include "core/train/passes/row_operations.h"
#include "core/train/roles/role_sampling.h"
#include "kernels/attention_train.h"

namespace natscope::train {

namespace {

using kernels::ConstView;
using kernels::View;

/// Rows of logits that exist at a time: [rows, V] stays small beside the activations.
constexpr std::int64_t logit_rows = 1024;
/// Rows that one product of a weight's gradient sums over: what it reads stays in the cache (1.5 times as fast as all
/// at once, 4096 rows of 320 and 1792), and sums beyond are taken in f32.
constexpr std::int64_t gradient_rows = 1024;

template <class Number>
Number* numbers(const at::Tensor& tensor) {
  return static_cast<Number*>(tensor.data_ptr());
}
float* floats(const at::Tensor& tensor) { return static_cast<float*>(tensor.data_ptr()); }

Expected<void> require(const kernels::Status& status) {
  if (status.ok()) return {};
  const ErrorCode code =
      status.code == kernels::StatusCode::out_of_memory ? ErrorCode::out_of_memory : ErrorCode::internal;
  return fail(code, std::string("training attention: ") + status.detail);
}

/// What the backward pass of one layer needs from its forward pass.
struct LayerState {
  at::Tensor attention_in, attention_rms, attention_normal;  // x [N, E] f32, [N], h [N, E]
  at::Tensor q, k, v;                                        // f32, rotated: [N, H, D], [N, K, D]
  at::Tensor probabilities, roles;                           // [N, 3K] f32, [B, K, T] u8
  at::Tensor chosen;                                         // [B, K, T] u8: what inference would choose
  at::Tensor attention, lse, attention_rounded;              // [N, H, D] f32, [B, H, T], [N, H·D]
  at::Tensor mlp_in, mlp_rms, mlp_normal;                    // as attention's
  at::Tensor gate_up;                                        // [N, 2I]
};

template <class Number>
class CpuPasses final : public TrainingPasses {
 public:
  CpuPasses(const ModelConfig& config, int segments, kernels::Backend backend, FixedMask mask)
      : c_(config),
        mask_(std::move(mask)),
        backend_(backend),
        ops_(row_operations<Number>()),
        segments_(segments),
        context_(config.context),
        rows_(segments * context_),
        chunk_(std::min(rows_, logit_rows)) {
    layout = parameter_layout(config);
    weights_ = make({layout.size});
    weights_.zero_();
    for (int i = 0; i < c_.layers; ++i) layers_.push_back(make_layer());
    make_shared_buffers();
    make_rotation();
  }

  void set_weights(std::span<const float> weights) override {
    ops_.round_to(layout.size, weights.data(), numbers<Number>(weights_));
  }

  Expected<PassResult> forward_backward(const MicroBatch& batch, const StepContext& context, std::span<float> gradient,
                                        const StopToken& stop) override {
    const c10::InferenceMode no_autograd;
    PassResult result;
    NATSCOPE_CHECK(forward(batch, &context, static_cast<int>(segments_), stop, result));
    gradient_ = gradient.data();
    NATSCOPE_CHECK(head(batch, context.loss_scale, true, stop, result));
    final_norm_backward();
    for (int i = c_.layers - 1; i >= 0; --i) {
      NATSCOPE_CHECK(check(stop));
      mlp_backward(i);
      NATSCOPE_CHECK(check(stop));
      NATSCOPE_CHECK(attention_backward(i, context));
      if (context.gradient_ready)
        NATSCOPE_CHECK(context.gradient_ready(layout.layer_begin(i), layout.layer_begin(i + 1)));
    }
    ops_.scatter_add_rows(batch.tokens.data(), floats(dx_), gradient_ + layout.embedding, rows_, c_.hidden);
    if (context.gradient_ready) {
      NATSCOPE_CHECK(context.gradient_ready(layout.embedding, layout.layer_begin(0)));
      NATSCOPE_CHECK(context.gradient_ready(layout.final_norm, layout.size));
    }
    return result;
  }

  Expected<PassResult> evaluate(const MicroBatch& batch, int counted, const StopToken& stop) override {
    const c10::InferenceMode no_autograd;
    PassResult result;
    NATSCOPE_CHECK(forward(batch, nullptr, counted, stop, result));
    NATSCOPE_CHECK(head(batch, 1.0, false, stop, result));
    return result;
  }

 private:
  static constexpr kernels::ElementType element_type =
      std::is_same_v<Number, Bf16> ? kernels::ElementType::bf16 : kernels::ElementType::f32;

  [[nodiscard]] at::Tensor make(at::IntArrayRef sizes) const {
    return at::empty(sizes, at::TensorOptions().dtype(torch_type(element_type)));
  }
  [[nodiscard]] static at::Tensor make_f32(at::IntArrayRef sizes) {
    return at::empty(sizes, at::TensorOptions().dtype(at::kFloat));
  }

  [[nodiscard]] LayerState make_layer() const {
    LayerState s;
    const std::int64_t q = c_.q_rows();
    const std::int64_t kv = c_.kv_rows();
    s.attention_in = make_f32({rows_, c_.hidden});
    s.attention_rms = make_f32({rows_});
    s.attention_normal = make({rows_, c_.hidden});
    s.q = make_f32({rows_, q});
    s.k = make_f32({rows_, kv});
    s.v = make_f32({rows_, kv});
    s.probabilities = make_f32({rows_, c_.score_rows()});
    s.roles = at::zeros({segments_, c_.kv_heads, context_}, at::TensorOptions().dtype(at::kByte));
    for (std::int64_t head = 0; head < segments_ * c_.kv_heads; ++head)
      std::copy(mask_.roles.begin(), mask_.roles.end(), roles_of(s.roles) + head * context_);
    s.chosen = at::zeros({segments_, c_.kv_heads, context_}, at::TensorOptions().dtype(at::kByte));
    s.attention = make_f32({rows_, q});
    s.lse = make_f32({segments_, c_.heads, context_});
    s.attention_rounded = make({rows_, q});
    s.mlp_in = make_f32({rows_, c_.hidden});
    s.mlp_rms = make_f32({rows_});
    s.mlp_normal = make({rows_, c_.hidden});
    s.gate_up = make({rows_, 2 * c_.intermediate});
    return s;
  }

  void make_shared_buffers() {
    const std::int64_t q = c_.q_rows();
    const std::int64_t kv = c_.kv_rows();
    qkv_ = make({rows_, q + 2 * kv});
    scores_ = make_f32({rows_, c_.score_rows()});
    added_ = make({rows_, c_.hidden});
    activated_ = make({rows_, c_.intermediate});
    final_in_ = make_f32({rows_, c_.hidden});
    final_rms_ = make_f32({rows_});
    final_normal_ = make({rows_, c_.hidden});
    logits_ = make({chunk_, c_.vocab});
    nll_ = make_f32({chunk_});
    dx_ = make_f32({rows_, c_.hidden});
    dx_rounded_ = make({rows_, c_.hidden});
    dnormal_ = make({rows_, c_.hidden});
    dactivated_ = make({rows_, c_.intermediate});
    dgate_up_ = make({rows_, 2 * c_.intermediate});
    dattention_ = make({rows_, q});
    dattention_wide_ = make_f32({rows_, q});
    dq_ = make_f32({rows_, q});
    dk_ = make_f32({rows_, kv});
    dv_ = make_f32({rows_, kv});
    droles_ = make_f32({segments_, c_.kv_heads, context_, 3});
    dscores_ = make_f32({rows_, c_.score_rows()});
    dscores_rounded_ = make({rows_, c_.score_rows()});
    std::int64_t largest = 0;
    for (const Parameter& p : layout.parameters) largest = std::max(largest, p.elements);
    dweight_ = make({std::max(largest, std::max(2 * std::int64_t{c_.intermediate}, q + 2 * kv) * c_.hidden)});
  }

  void make_rotation() {
    const RotaryEmbedding embedding(c_);
    const std::int64_t pairs = embedding.pairs();
    cosine_ = make_f32({context_, pairs});
    sine_ = make_f32({context_, pairs});
    embedding.tables(0, context_, floats(cosine_), floats(sine_));
  }

  [[nodiscard]] NormShape norm_shape() const { return {rows_, c_.hidden, static_cast<float>(c_.rms_norm_eps)}; }
  [[nodiscard]] HeadShape head_shape() const { return {rows_, context_, c_.heads, c_.kv_heads, c_.head_dim}; }
  [[nodiscard]] RoleShape role_shape() const { return {segments_, context_, c_.kv_heads}; }

  [[nodiscard]] Number* weight(std::int64_t offset) const { return numbers<Number>(weights_) + offset; }
  [[nodiscard]] at::Tensor matrix(std::int64_t offset, std::int64_t rows, std::int64_t columns) const {
    return weights_.narrow(0, offset, rows * columns).view({rows, columns});
  }

  /// out = a · b.
  static void multiply(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
    if constexpr (std::is_same_v<Number, float>)
      at::mm_out(out, a, b);
    else
      multiply_bf16(out, a, b);
  }
  /// out = in · weightᵀ, weight [outputs, inputs].
  static void product(at::Tensor& out, const at::Tensor& in, const at::Tensor& w) { multiply(out, in, w.t()); }

  /// gradient[offset…] += dyᵀ · in for a weight [outputs, inputs].
  void add_weight_gradient(std::int64_t offset, const at::Tensor& dy, const at::Tensor& in) {
    const std::int64_t count = dy.size(1) * in.size(1);
    at::Tensor out = dweight_.narrow(0, 0, count).view({dy.size(1), in.size(1)});
    for (std::int64_t begin = 0; begin < dy.size(0); begin += gradient_rows) {
      const std::int64_t rows = std::min(gradient_rows, dy.size(0) - begin);
      multiply(out, dy.narrow(0, begin, rows).t(), in.narrow(0, begin, rows));
      ops_.add_to(count, numbers<Number>(out), gradient_ + offset);
    }
  }

  /// [batch, heads, T, D] over the memory [batch, T, heads, D].
  [[nodiscard]] View<float, 4> head_view(const at::Tensor& tensor, std::int64_t heads) const {
    const std::int64_t d = c_.head_dim;
    return {floats(tensor), {segments_, heads, context_, d}, {context_ * heads * d, d, heads * d, 1}};
  }
  [[nodiscard]] kernels::AttentionTrainInputs attention_inputs(const LayerState& s) const {
    return {head_view(s.q, c_.heads),
            head_view(s.k, c_.kv_heads),
            head_view(s.v, c_.kv_heads),
            View<Role, 3>::packed(roles_of(s.roles), {segments_, c_.kv_heads, context_}),
            c_.nats ? c_.nats->window : mask_.window,
            element_type};
  }
  [[nodiscard]] static Role* roles_of(const at::Tensor& tensor) { return static_cast<Role*>(tensor.data_ptr()); }

  /// Of each segment the first `length` tokens.
  void count(int layer, const at::Tensor& roles, int segments, std::int64_t length, RoleStatistics& statistics) const {
    statistics.heads.resize(static_cast<std::size_t>(c_.layers * c_.kv_heads));
    for (int segment = 0; segment < segments; ++segment) {
      for (int head = 0; head < c_.kv_heads; ++head) {
        const Role* from = roles_of(roles) + (std::int64_t{segment} * c_.kv_heads + head) * context_;
        count_segment({from, static_cast<std::size_t>(length)}, c_.nats->window,
                      statistics.heads[static_cast<std::size_t>(layer * c_.kv_heads + head)]);
      }
    }
  }

  /// Sampled roles for a training step, inference's for an evaluation (`context` null).
  void choose_roles(int i, const StepContext* context, int counted, PassResult& result) {
    LayerState& s = layers_[static_cast<std::size_t>(i)];
    ops_.narrow_product(rows_, c_.hidden, c_.score_rows(), numbers<Number>(s.attention_normal),
                        weight(layout.layers[static_cast<std::size_t>(i)].scores), floats(scores_));
    const auto bias = static_cast<float>(c_.nats->global_bias);
    at::Tensor& inference = context != nullptr ? s.chosen : s.roles;
    argmax_roles(role_shape(), floats(scores_), bias, roles_of(inference));
    count(i, inference, counted, context_, result.argmax);
    if (context == nullptr) return;
    const CounterRandom noise(context->seed, random_purpose::role_noise, static_cast<std::uint64_t>(context->step),
                              static_cast<std::uint64_t>(i));
    sample_roles(role_shape(), floats(scores_), noise, context->first_row, roles_of(s.roles), floats(s.probabilities));
    count(i, s.roles, counted, context_ - 1, result.sampled);
  }

  Expected<void> forward(const MicroBatch& batch, const StepContext* context, int counted, const StopToken& stop,
                         PassResult& result) {
    at::Tensor x = dx_;  // free until the backward pass begins
    ops_.gather_rows(batch.tokens.data(), weight(layout.embedding), floats(x), rows_, c_.hidden);
    const Number* added = nullptr;
    for (int i = 0; i < c_.layers; ++i) {
      NATSCOPE_CHECK(check(stop));
      LayerState& s = layers_[static_cast<std::size_t>(i)];
      const LayerOffsets& at = layout.layers[static_cast<std::size_t>(i)];
      ops_.add_and_normalise(norm_shape(), floats(x), added, weight(at.attention_norm), floats(s.attention_in),
                             numbers<Number>(s.attention_normal), floats(s.attention_rms));
      product(qkv_, s.attention_normal, matrix(at.qkv, c_.q_rows() + 2 * c_.kv_rows(), c_.hidden));
      ops_.split_and_rotate(head_shape(), numbers<Number>(qkv_), floats(cosine_), floats(sine_), floats(s.q),
                            floats(s.k), floats(s.v));
      if (c_.nats) choose_roles(i, context, counted, result);
      NATSCOPE_CHECK(require(
          kernels::attention_train_forward(backend_, attention_inputs(s), head_view(s.attention, c_.heads),
                                           View<float, 3>::packed(floats(s.lse), {segments_, c_.heads, context_}))));
      ops_.round_to(rows_ * c_.q_rows(), floats(s.attention), numbers<Number>(s.attention_rounded));
      NATSCOPE_CHECK(check(stop));
      product(added_, s.attention_rounded, matrix(at.o, c_.hidden, c_.q_rows()));
      ops_.add_and_normalise(norm_shape(), floats(s.attention_in), numbers<Number>(added_), weight(at.mlp_norm),
                             floats(s.mlp_in), numbers<Number>(s.mlp_normal), floats(s.mlp_rms));
      product(s.gate_up, s.mlp_normal, matrix(at.gate_up, 2 * std::int64_t{c_.intermediate}, c_.hidden));
      ops_.swiglu(rows_, c_.intermediate, numbers<Number>(s.gate_up), numbers<Number>(activated_));
      product(added_, activated_, matrix(at.down, c_.hidden, c_.intermediate));
      x = s.mlp_in;
      added = numbers<Number>(added_);
    }
    ops_.add_and_normalise(norm_shape(), floats(x), added, weight(layout.final_norm), floats(final_in_),
                           numbers<Number>(final_normal_), floats(final_rms_));
    return {};
  }

  /// Logits, loss and their gradients, a chunk of rows at a time.
  Expected<void> head(const MicroBatch& batch, double scale, bool backward, const StopToken& stop, PassResult& result) {
    const at::Tensor embedding = matrix(layout.embedding, c_.vocab, c_.hidden);
    for (std::int64_t begin = 0; begin < rows_; begin += chunk_) {
      NATSCOPE_CHECK(check(stop));
      const std::int64_t count = std::min(chunk_, rows_ - begin);
      const at::Tensor normal = final_normal_.narrow(0, begin, count);
      at::Tensor logits = logits_.narrow(0, 0, count);
      product(logits, normal, embedding);
      const std::int32_t* targets = batch.targets.data() + begin;
      ops_.cross_entropy(count, c_.vocab, numbers<Number>(logits), targets, static_cast<float>(scale), floats(nll_));
      for (std::int64_t n = 0; n < count; ++n) {
        result.nll += static_cast<double>(floats(nll_)[n]);
        result.tokens += targets[n] >= 0 ? 1 : 0;
      }
      if (!backward) continue;
      at::Tensor dnormal = dnormal_.narrow(0, begin, count);
      multiply(dnormal, logits, embedding);
      add_weight_gradient(layout.embedding, logits, normal);
    }
    return {};
  }

  void final_norm_backward() {
    dx_.zero_();
    ops_.normalise_backward(norm_shape(), numbers<Number>(dnormal_), floats(final_in_), floats(final_rms_),
                            weight(layout.final_norm), floats(dx_), numbers<Number>(dx_rounded_),
                            gradient_ + layout.final_norm);
  }

  void mlp_backward(int i) {
    LayerState& s = layers_[static_cast<std::size_t>(i)];
    const LayerOffsets& at = layout.layers[static_cast<std::size_t>(i)];
    multiply(dactivated_, dx_rounded_, matrix(at.down, c_.hidden, c_.intermediate));
    ops_.swiglu_backward(rows_, c_.intermediate, numbers<Number>(s.gate_up), numbers<Number>(dactivated_),
                         numbers<Number>(dgate_up_), numbers<Number>(activated_));
    add_weight_gradient(at.down, dx_rounded_, activated_);
    multiply(dnormal_, dgate_up_, matrix(at.gate_up, 2 * std::int64_t{c_.intermediate}, c_.hidden));
    add_weight_gradient(at.gate_up, dgate_up_, s.mlp_normal);
    ops_.normalise_backward(norm_shape(), numbers<Number>(dnormal_), floats(s.mlp_in), floats(s.mlp_rms),
                            weight(at.mlp_norm), floats(dx_), numbers<Number>(dx_rounded_), gradient_ + at.mlp_norm);
  }

  Expected<void> attention_backward(int i, const StepContext& context) {
    LayerState& s = layers_[static_cast<std::size_t>(i)];
    const LayerOffsets& at = layout.layers[static_cast<std::size_t>(i)];
    multiply(dattention_, dx_rounded_, matrix(at.o, c_.hidden, c_.q_rows()));
    add_weight_gradient(at.o, dx_rounded_, s.attention_rounded);
    ops_.widen(rows_ * c_.q_rows(), numbers<Number>(dattention_), floats(dattention_wide_));
    const auto droles =
        View<float, 4>::packed(c_.nats ? floats(droles_) : nullptr, {segments_, c_.kv_heads, context_, role_count});
    NATSCOPE_CHECK(require(kernels::attention_train_backward(
        backend_, attention_inputs(s), head_view(s.attention, c_.heads),
        View<float, 3>::packed(floats(s.lse), {segments_, c_.heads, context_}), head_view(dattention_wide_, c_.heads),
        context.applied_sparsity, head_view(dq_, c_.heads), head_view(dk_, c_.kv_heads), head_view(dv_, c_.kv_heads),
        droles)));
    if (c_.nats) {
      if (context.local_charge == LocalCharge::argmax) {
        charge_locals_as_chosen(role_shape(), roles_of(s.roles), roles_of(s.chosen), context.applied_sparsity,
                                floats(droles_));
      }
      role_scores_backward(role_shape(), floats(droles_), floats(s.probabilities), floats(dscores_));
      ops_.round_to(rows_ * c_.score_rows(), floats(dscores_), numbers<Number>(dscores_rounded_));
      // The scores' gradient ends here: it does not flow into the normalised input (section 2).
      add_weight_gradient(at.scores, dscores_rounded_, s.attention_normal);
    }
    ops_.rotate_back_and_join(head_shape(), floats(dq_), floats(dk_), floats(dv_), floats(cosine_), floats(sine_),
                              numbers<Number>(qkv_));
    multiply(dnormal_, qkv_, matrix(at.qkv, c_.q_rows() + 2 * c_.kv_rows(), c_.hidden));
    add_weight_gradient(at.qkv, qkv_, s.attention_normal);
    ops_.normalise_backward(norm_shape(), numbers<Number>(dnormal_), floats(s.attention_in), floats(s.attention_rms),
                            weight(at.attention_norm), floats(dx_), numbers<Number>(dx_rounded_),
                            gradient_ + at.attention_norm);
    return {};
  }

  ModelConfig c_;
  FixedMask mask_;
  kernels::Backend backend_;
  const RowOperations<Number>& ops_;
  std::int64_t segments_, context_, rows_, chunk_;
  float* gradient_ = nullptr;
  at::Tensor weights_, cosine_, sine_;
  std::vector<LayerState> layers_;
  at::Tensor qkv_, scores_, added_, activated_, final_in_, final_rms_, final_normal_, logits_, nll_;
  at::Tensor dx_, dx_rounded_, dnormal_, dactivated_, dgate_up_, dattention_, dattention_wide_, dq_, dk_, dv_;
  at::Tensor droles_, dscores_, dscores_rounded_, dweight_;
};

}  // namespace

std::unique_ptr<TrainingPasses> make_cpu_passes(const ModelConfig& config, kernels::ElementType dtype, int segments,
                                                kernels::Backend backend, FixedMask mask) {
  if (dtype == kernels::ElementType::bf16)
    return std::make_unique<CpuPasses<Bf16>>(config, segments, backend, std::move(mask));
  return std::make_unique<CpuPasses<float>>(config, segments, backend, std::move(mask));
}

}  // namespace natscope::train
