// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/distillation/distillation_passes.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding_dense_backward.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <utility>

#include "core/device/torch_types.h"
#include "core/train/weights/finetune_layout.h"

namespace natscope::train {

namespace {

/// Differences that the loss is the mean of.
double cells(const Document& document, int hidden) {
  const auto positions = document.counted.empty()
                             ? document.size()
                             : std::count(document.counted.begin(), document.counted.end(), std::uint8_t{1});
  return static_cast<double>(std::max<std::int64_t>(1, positions)) * hidden;
}

/// Gradients of `out` in `x`, then in the trained tensors; undefined where `out` does not depend on one.
torch::autograd::variable_list through(const at::Tensor& out, const at::Tensor& d_out, const at::Tensor& x,
                                       const TrainedTensors& trained, const std::vector<std::size_t>& numbers) {
  torch::autograd::variable_list inputs{x};
  for (const std::size_t number : numbers) inputs.push_back(trained[number]);
  return torch::autograd::grad({out}, inputs, {d_out}, std::nullopt, false, /*allow_unused=*/true);
}

}  // namespace

DistillationModel::Implementation::Implementation(const ModelConfig& base, const FinetuneOptions& options,
                                                  ModelTensors teacher,
                                                  std::unique_ptr<DistillationAttention> attention, bool sums_in_place)
    : layout(finetune_layout(base, options)),
      c_(base),
      options_(options),
      products_(torch_type(options.dtype)),
      attention_(std::move(attention)),
      sums_in_place_(sums_in_place),
      teacher_(std::move(teacher)),
      student_(teacher_),
      device_(teacher_.embed.device()),
      state_(layout, device_),
      trained_(layout, state_.weights()),
      rotary_(c_) {
  trained_.place_in(student_, c_.tied);
}

void DistillationModel::Implementation::set_weights(std::span<const float> weights) { state_.set_weights(weights); }

std::vector<float> DistillationModel::Implementation::initial_weights(std::uint64_t seed) const {
  return initial_trained_weights(layout, teacher_, seed);
}

Expected<DistillPass> DistillationModel::Implementation::forward_backward(const Document& document,
                                                                          const DistillContext& context,
                                                                          std::span<float> gradient,
                                                                          const StopToken& stop) {
  begin(document);
  const bool stays = gradient.empty();
  const at::Tensor wanted_sum = stays ? state_.gradient() : at::from_blob(gradient.data(), {layout.size}, at::kFloat);
  const at::Tensor sum = stays || sums_in_place_ ? wanted_sum : at::zeros_like(state_.weights());
  std::vector<std::size_t> told_later;
  const auto finished = [&](std::size_t number) -> Expected<void> {
    if (sums_in_place_) return tell_ready(number, context);
    told_later.push_back(number);
    return {};
  };
  DistillPass pass;
  pass.tokens = document.size();
  NATSCOPE_TRY(const at::Tensor wanted, teacher_hidden(document, stop));

  RoleRequest request{RoleChoice::sampled, 0, &context, &pass};
  pass.sampled = pass.argmax = no_statistics();
  std::vector<at::Tensor> inputs;
  {
    const at::NoGradGuard no_gradient;
    at::Tensor x = embed(student_, document);
    for (request.layer = 0; request.layer < c_.layers; ++request.layer) {
      NATSCOPE_CHECK(check(stop));
      inputs.push_back(x);
      x = feed_forward(student_, request.layer, attention(student_, x, request));
    }
    inputs.push_back(x);
  }
  request.pass = nullptr;  // what is computed again is not counted again

  at::Tensor dx = distance_backward(inputs.back(), wanted, document, context.scale, pass, sum);
  inputs.pop_back();
  if (trained_.norm()) NATSCOPE_CHECK(finished(*trained_.norm()));
  for (request.layer = c_.layers - 1; request.layer >= 0; --request.layer) {
    NATSCOPE_CHECK(check(stop));
    dx = layer_backward(inputs.back(), dx, request, sum);
    inputs.pop_back();
    for (const std::size_t number : trained_.of_layer(request.layer)) NATSCOPE_CHECK(finished(number));
  }
  if (trained_.embedding()) {
    embedding_backward(document, dx, sum);
    NATSCOPE_CHECK(finished(*trained_.embedding()));
  }
  if (!stays && !sums_in_place_) wanted_sum.add_(sum.cpu());
  for (const std::size_t number : told_later) NATSCOPE_CHECK(tell_ready(number, context));
  return pass;
}

Expected<DistillPass> DistillationModel::Implementation::evaluate(const Document& document, const StopToken& stop) {
  const at::NoGradGuard no_gradient;
  begin(document);
  DistillPass pass;
  pass.tokens = document.size();
  pass.predicted = document.size() - 1;
  NATSCOPE_TRY(const at::Tensor wanted, teacher_hidden(document, stop));
  RoleRequest request{RoleChoice::argmax, 0, nullptr, &pass};
  pass.argmax = no_statistics();
  at::Tensor x = embed(student_, document);
  for (; request.layer < c_.layers; ++request.layer) {
    NATSCOPE_CHECK(check(stop));
    x = feed_forward(student_, request.layer, attention(student_, x, request));
  }
  const at::Tensor hidden = normalise(x, student_.norm);
  pass.distance = (counted(document) * (hidden - wanted).square()).sum().item<double>() / cells(document, c_.hidden);
  pass.nll = nll(student_, hidden, document);
  pass.full_nll = nll(teacher_, wanted, document);
  return pass;
}

void DistillationModel::Implementation::begin(const Document& document) {
  if (rotation_.positions() < document.size()) rotation_ = make_rotation(rotary_, document.size(), device_);
}

at::Tensor DistillationModel::Implementation::on_device(const std::vector<std::int32_t>& numbers, std::size_t begin,
                                                        std::int64_t count) const {
  return at::from_blob(const_cast<std::int32_t*>(numbers.data()) + begin, {count}, at::kInt).to(device_);
}

at::Tensor DistillationModel::Implementation::counted(const Document& document) const {
  if (document.counted.empty()) return at::ones({document.size(), 1}, state_.weights().options());
  const at::Tensor bytes =
      at::from_blob(const_cast<std::uint8_t*>(document.counted.data()), {document.size(), 1}, at::kByte);
  return bytes.to(device_).to(at::kFloat);
}

RoleStatistics DistillationModel::Implementation::no_statistics() const {
  RoleStatistics none;
  none.heads.resize(static_cast<std::size_t>(c_.layers) * static_cast<std::size_t>(c_.kv_heads));
  return none;
}

at::Tensor DistillationModel::Implementation::normalise(const at::Tensor& x, const at::Tensor& weight) const {
  return rms_normalised(x, weight, c_.stream_norm_eps());
}

at::Tensor DistillationModel::Implementation::projected(const at::Tensor& x, const at::Tensor& weight,
                                                        const at::Tensor& bias) const {
  const at::Tensor y = product(x, weight, products_);
  return bias.defined() ? y + bias.to(at::kFloat) : y;
}

at::Tensor DistillationModel::Implementation::adapted(const at::Tensor& x, const at::Tensor& weight,
                                                      const at::Tensor& bias, const at::Tensor& lora_a,
                                                      const at::Tensor& lora_b) const {
  const at::Tensor y = projected(x, weight, bias);
  if (!lora_a.defined()) return y;
  const at::Tensor change = product(product(x, lora_a, products_), lora_b, products_);
  return y + change * (options_.lora_alpha / options_.lora_rank);
}

at::Tensor DistillationModel::Implementation::embed(const ModelTensors& model, const Document& document) const {
  const at::Tensor rows =
      model.embed.index_select(0, on_device(document.tokens, 0, document.size())).to(at::kFloat).detach();
  return c_.embedding_scale() == 1.0 ? rows : rows * c_.embedding_scale();
}

at::Tensor DistillationModel::Implementation::attention(const ModelTensors& model, const at::Tensor& x,
                                                        const RoleRequest& request) const {
  const LayerTensors& w = model.layers[static_cast<std::size_t>(request.layer)];
  const std::int64_t length = x.size(0);
  const auto heads = [&](const at::Tensor& rows, int number) { return rows.view({1, length, number, c_.head_dim}); };
  const at::Tensor normal = normalise(x, w.input_norm);
  at::Tensor q = heads(adapted(normal, w.q, w.q_bias, w.q_lora_a, w.q_lora_b), c_.heads);
  at::Tensor k = heads(adapted(normal, w.k, w.k_bias, w.k_lora_a, w.k_lora_b), c_.kv_heads);
  const at::Tensor v = heads(adapted(normal, w.v, w.v_bias, w.v_lora_a, w.v_lora_b), c_.kv_heads).transpose(1, 2);
  if (w.q_norm.defined()) q = rms_normalised(q, w.q_norm, c_.rms_norm_eps);
  if (w.k_norm.defined()) k = rms_normalised(k, w.k_norm, c_.rms_norm_eps);
  const auto turned = [&](const at::Tensor& rows) {
    return c_.rotated_dim(request.layer) > 0 ? rotated(rows, rotation_) : rows.transpose(1, 2).contiguous();
  };
  at::Tensor scores;
  // The scores' gradient does not flow into their input (section 2); they are never rounded.
  if (request.choice != RoleChoice::all_global) scores = at::linear(normal.detach(), w.score);
  const at::Tensor out = attention_->attend(request, turned(q), turned(k), v, scores);
  return x + adapted(out.transpose(1, 2).reshape({length, c_.q_rows()}), w.o, w.o_bias, w.o_lora_a, w.o_lora_b);
}

at::Tensor DistillationModel::Implementation::feed_forward_rows(const ModelTensors& model, int layer,
                                                                const at::Tensor& h) const {
  const LayerTensors& w = model.layers[static_cast<std::size_t>(layer)];
  const at::Tensor normal = normalise(h, w.post_attention_norm);
  const at::Tensor inner = at::silu(projected(normal, w.gate, w.gate_bias)) * projected(normal, w.up, w.up_bias);
  return h + projected(inner, w.down, w.down_bias);
}

at::Tensor DistillationModel::Implementation::feed_forward(const ModelTensors& model, int layer,
                                                           const at::Tensor& h) const {
  at::Tensor out = at::empty_like(h);
  for (std::int64_t row = 0; row < h.size(0); row += options_.rows) {
    const std::int64_t rows = std::min<std::int64_t>(options_.rows, h.size(0) - row);
    out.narrow(0, row, rows).copy_(feed_forward_rows(model, layer, h.narrow(0, row, rows)));
  }
  return out;
}

Expected<at::Tensor> DistillationModel::Implementation::teacher_hidden(const Document& document,
                                                                       const StopToken& stop) const {
  const at::NoGradGuard no_gradient;
  at::Tensor x = embed(teacher_, document);
  RoleRequest request;
  for (; request.layer < c_.layers; ++request.layer) {
    NATSCOPE_CHECK(check(stop));
    x = feed_forward(teacher_, request.layer, attention(teacher_, x, request));
  }
  return normalise(x, teacher_.norm);
}

at::Tensor DistillationModel::Implementation::distance_backward(const at::Tensor& last, const at::Tensor& wanted,
                                                                const Document& document, double scale,
                                                                DistillPass& pass, const at::Tensor& sum) const {
  const at::Tensor counts = counted(document);
  // In ordinary memory at once: a run begun by an earlier version goes on with the same bits.
  const std::int64_t most = sums_in_place_ ? document.size() : options_.rows;
  at::Tensor dx = at::empty_like(last);
  for (std::int64_t row = 0; row < document.size(); row += most) {
    const std::int64_t rows = std::min(most, document.size() - row);
    const at::Tensor x = last.narrow(0, row, rows).detach().requires_grad_(true);
    const at::Tensor difference = normalise(x, student_.norm) - wanted.narrow(0, row, rows);
    const at::Tensor distance = (counts.narrow(0, row, rows) * difference.square()).sum() / cells(document, c_.hidden);
    pass.distance += distance.item<double>();
    torch::autograd::variable_list inputs{x};
    if (trained_.norm()) inputs.push_back(student_.norm);
    const auto gradients = torch::autograd::grad({distance * scale}, inputs);
    if (trained_.norm()) add_gradients({*trained_.norm()}, &gradients[1], sum);
    dx.narrow(0, row, rows).copy_(gradients[0]);
  }
  return dx;
}

at::Tensor DistillationModel::Implementation::layer_backward(const at::Tensor& input, const at::Tensor& dy,
                                                             const RoleRequest& request, const at::Tensor& sum) const {
  const std::vector<std::size_t>& numbers = trained_.of_layer(request.layer);
  const at::Tensor x = input.detach().requires_grad_(true);
  const at::Tensor h = attention(student_, x, request);

  at::Tensor dh = at::empty_like(dy);
  for (std::int64_t row = 0; row < h.size(0); row += options_.rows) {
    const std::int64_t rows = std::min<std::int64_t>(options_.rows, h.size(0) - row);
    const at::Tensor piece = h.detach().narrow(0, row, rows).requires_grad_(true);
    const at::Tensor out = feed_forward_rows(student_, request.layer, piece);
    const auto gradients = through(out, dy.narrow(0, row, rows), piece, trained_, numbers);
    dh.narrow(0, row, rows).copy_(gradients[0]);
    add_gradients(numbers, gradients.data() + 1, sum);
  }
  const auto gradients = through(h, dh, x, trained_, numbers);
  add_gradients(numbers, gradients.data() + 1, sum);
  return gradients[0];
}

void DistillationModel::Implementation::embedding_backward(const Document& document, const at::Tensor& dx,
                                                           const at::Tensor& sum) const {
  const at::Tensor tokens = on_device(document.tokens, 0, document.size());
  at::Tensor part = trained_.part_of(sum, *trained_.embedding());
  const at::Tensor d_rows = c_.embedding_scale() == 1.0 ? dx : dx * c_.embedding_scale();
  if (sums_in_place_) {
    part.index_add_(0, tokens, d_rows);
  } else {
    // On a GPU index_add_ adds in any order: a resumed run would not have the same losses.
    part.add_(at::embedding_dense_backward(d_rows, tokens.to(at::kLong), c_.vocab, -1, false));
  }
}

void DistillationModel::Implementation::add_gradients(const std::vector<std::size_t>& numbers,
                                                      const at::Tensor* gradients, const at::Tensor& sum) const {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (gradients[i].defined()) trained_.part_of(sum, numbers[i]).add_(gradients[i]);
  }
}

Expected<void> DistillationModel::Implementation::tell_ready(std::size_t number, const DistillContext& context) const {
  if (!context.gradient_ready) return {};
  const Parameter& p = layout.parameters[number];
  return context.gradient_ready(p.offset, p.offset + p.elements);
}

double DistillationModel::Implementation::nll(const ModelTensors& model, const at::Tensor& hidden,
                                              const Document& document) const {
  double sum = 0;
  const at::Tensor head = model.lm_head.to(products_);  // once, not for every block of rows
  for (std::int64_t row = 0; row + 1 < document.size(); row += DistillationModel::logit_rows) {
    const std::int64_t rows = std::min(DistillationModel::logit_rows, document.size() - 1 - row);
    const at::Tensor targets = on_device(document.tokens, static_cast<std::size_t>(row) + 1, rows);
    at::Tensor logits = projected(hidden.narrow(0, row, rows), head, {});
    if (c_.logits_scaling != 1.0) logits = logits / c_.logits_scaling;
    const at::Tensor likelihood = at::log_softmax(logits, -1);
    sum -= likelihood.gather(1, targets.to(at::kLong).unsqueeze(1)).sum(at::kDouble).item<double>();
  }
  return sum;
}

}  // namespace natscope::train
