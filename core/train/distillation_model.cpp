// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/distillation_model.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <new>
#include <string>

#include "core/io/adapter.h"
#include "core/model/rope.h"
#include "core/model/tensor_table.h"
#include "core/train/role_attention.h"

namespace natscope::train {

namespace {

/// Rows of logits that exist at a time in an evaluation.
constexpr std::int64_t logit_rows = 512;

at::ScalarType type_of(DType dtype) {
  switch (dtype) {
    case DType::bf16:
      return at::kBFloat16;
    case DType::f16:
      return at::kHalf;
    default:
      return at::kFloat;
  }
}

/// A stored tensor where it lies. LibTorch has no read-only tensors; nothing here writes to these.
at::Tensor stored(const WeightView& view) {
  if (!view.present()) return {};
  auto* const data = const_cast<std::byte*>(view.data);
  const auto options = at::TensorOptions().dtype(type_of(view.dtype));
  return view.rows == 1 ? at::from_blob(data, {view.cols}, options)
                        : at::from_blob(data, {view.rows, view.cols}, options);
}

/// A whole model's stored tensor by its name's last parts.
struct LayerTensors {
  at::Tensor input_norm, q, k, v, o, q_bias, k_bias, v_bias, o_bias, q_norm, k_norm;
  at::Tensor post_attention_norm, gate, up, down, gate_bias, up_bias, down_bias;
  at::Tensor score;                                                                           // student only
  at::Tensor q_lora_a, q_lora_b, k_lora_a, k_lora_b, v_lora_a, v_lora_b, o_lora_a, o_lora_b;  // student only
};

struct ModelTensors {
  at::Tensor embed, norm, lm_head;
  std::vector<LayerTensors> layers;
};

ModelTensors stored_tensors(const ModelWeights& weights) {
  ModelTensors all;
  all.embed = stored(weights.embed);
  all.norm = stored(weights.norm).view({-1});
  all.lm_head = stored(weights.lm_head);
  const auto vector = [](const WeightView& view) { return view.present() ? stored(view).view({-1}) : at::Tensor(); };
  for (const LayerWeights& from : weights.layers) {
    LayerTensors layer;
    layer.input_norm = vector(from.input_norm);
    layer.q = stored(from.q);
    layer.k = stored(from.k);
    layer.v = stored(from.v);
    layer.o = stored(from.o);
    layer.q_bias = vector(from.q_bias);
    layer.k_bias = vector(from.k_bias);
    layer.v_bias = vector(from.v_bias);
    layer.o_bias = vector(from.o_bias);
    layer.q_norm = vector(from.q_norm);
    layer.k_norm = vector(from.k_norm);
    layer.post_attention_norm = vector(from.post_attention_norm);
    layer.gate = stored(from.gate);
    layer.up = stored(from.up);
    layer.down = stored(from.down);
    layer.gate_bias = vector(from.gate_bias);
    layer.up_bias = vector(from.up_bias);
    layer.down_bias = vector(from.down_bias);
    all.layers.push_back(std::move(layer));
  }
  return all;
}

/// The tensors of one layer by the names that files give them behind `model.layers.N.`.
std::vector<std::pair<std::string, at::Tensor LayerTensors::*>> named_members() {
  return {{"input_layernorm.weight", &LayerTensors::input_norm},
          {"self_attn.q_proj.weight", &LayerTensors::q},
          {"self_attn.k_proj.weight", &LayerTensors::k},
          {"self_attn.v_proj.weight", &LayerTensors::v},
          {"self_attn.o_proj.weight", &LayerTensors::o},
          {"self_attn.q_proj.bias", &LayerTensors::q_bias},
          {"self_attn.k_proj.bias", &LayerTensors::k_bias},
          {"self_attn.v_proj.bias", &LayerTensors::v_bias},
          {"self_attn.o_proj.bias", &LayerTensors::o_bias},
          {"self_attn.q_norm.weight", &LayerTensors::q_norm},
          {"self_attn.k_norm.weight", &LayerTensors::k_norm},
          {"post_attention_layernorm.weight", &LayerTensors::post_attention_norm},
          {"mlp.gate_proj.weight", &LayerTensors::gate},
          {"mlp.up_proj.weight", &LayerTensors::up},
          {"mlp.down_proj.weight", &LayerTensors::down},
          {"mlp.gate_proj.bias", &LayerTensors::gate_bias},
          {"mlp.up_proj.bias", &LayerTensors::up_bias},
          {"mlp.down_proj.bias", &LayerTensors::down_bias},
          {"self_attn.proj_layer.weight", &LayerTensors::score},
          {"self_attn.q_proj.lora_a", &LayerTensors::q_lora_a},
          {"self_attn.q_proj.lora_b", &LayerTensors::q_lora_b},
          {"self_attn.k_proj.lora_a", &LayerTensors::k_lora_a},
          {"self_attn.k_proj.lora_b", &LayerTensors::k_lora_b},
          {"self_attn.v_proj.lora_a", &LayerTensors::v_lora_a},
          {"self_attn.v_proj.lora_b", &LayerTensors::v_lora_b},
          {"self_attn.o_proj.lora_a", &LayerTensors::o_lora_a},
          {"self_attn.o_proj.lora_b", &LayerTensors::o_lora_b}};
}

bool is_norm(std::string_view name) { return name.ends_with("norm.weight") || name.ends_with(".bias"); }

}  // namespace

ParameterLayout finetune_layout(const ModelConfig& base, const FinetuneOptions& options) {
  ParameterLayout layout;
  const auto add = [&](std::string name, std::vector<std::int64_t> shape, ParameterKind kind) {
    std::int64_t elements = 1;
    for (const std::int64_t extent : shape) elements *= extent;
    layout.size = (layout.size + 31) / 32 * 32;
    layout.parameters.push_back({std::move(name), std::move(shape), layout.size, elements, kind});
    layout.size += elements;
  };
  if (options.trained == Trained::all) {
    ModelConfig plain = base;
    plain.nats.reset();
    for (const ExpectedTensor& tensor : expected_tensors(plain)) {
      // The loss ends before the output matrix: one of its own would only decay. So would the rows of tokens that the
      // text does not have, which is why embeddings count as norms here: without decay.
      if (tensor.name == "lm_head.weight") continue;
      const bool decays = !is_norm(tensor.name) && tensor.name != "model.embed_tokens.weight";
      add(tensor.name, tensor.shape, decays ? ParameterKind::matrix : ParameterKind::norm);
    }
  }
  if (options.trained == Trained::lora) {
    for (int layer = 0; layer < base.layers; ++layer) {
      for (const std::string& target : options.lora_targets) {
        const std::int64_t in = target == "o_proj" ? base.q_rows() : base.hidden;
        const std::int64_t out = target == "o_proj" ? base.hidden : target == "q_proj" ? base.q_rows() : base.kv_rows();
        add(lora_name(layer, target, 'a'), {options.lora_rank, in}, ParameterKind::matrix);
        add(lora_name(layer, target, 'b'), {out, options.lora_rank}, ParameterKind::matrix);
      }
    }
  }
  for (int layer = 0; layer < base.layers; ++layer) {
    add(score_layer_name(layer), {base.score_rows(), base.hidden}, ParameterKind::score);
  }
  layout.size = (layout.size + 31) / 32 * 32;
  return layout;
}

class DistillationModel::Implementation {
 public:
  Implementation(const ModelFolder& base, const FinetuneOptions& options)
      : layout(finetune_layout(base.config(), options)),
        c_(base.config()),
        options_(options),
        teacher_(stored_tensors(base.weights())),
        student_(teacher_),
        master_(static_cast<std::size_t>(layout.size)),
        frequencies_(rope_inverse_frequencies(c_.rope, c_.head_dim)) {
    place_trained_tensors();
  }

  std::vector<float> initial_weights(std::uint64_t seed) const {
    std::vector<float> weights(master_.size());
    std::uint64_t stream = 0;
    for (const Parameter& p : layout.parameters) {
      float* const out = weights.data() + p.offset;
      const CounterRandom random(seed, random_purpose::initial_weights, ++stream);
      if (const at::Tensor* base = base_tensor(p.name)) {
        const at::Tensor widened = base->to(at::kFloat).contiguous();
        std::copy_n(widened.data_ptr<float>(), p.elements, out);
      } else if (p.kind == ParameterKind::score) {
        fill_normal(random, 0.02, p.elements, out);
      } else if (p.name.ends_with("lora_a")) {
        fill_normal(random, 1.0 / std::sqrt(static_cast<double>(p.shape.back())), p.elements, out);
      }
    }
    return weights;
  }

  void set_weights(std::span<const float> weights) { std::copy(weights.begin(), weights.end(), master_.begin()); }

  Expected<DistillPass> forward_backward(const Document& document, const DistillContext& context,
                                         std::span<float> gradient, const StopToken& stop) {
    begin(document);
    DistillPass pass;
    pass.tokens = document.size();
    NATSCOPE_TRY(const at::Tensor wanted, teacher_hidden(document, stop));

    Choice choice{RoleChoice::sampled, &context, &pass};
    pass.sampled.heads.resize(heads_count());
    pass.argmax.heads.resize(heads_count());
    std::vector<at::Tensor> inputs;
    {
      const at::NoGradGuard no_gradient;
      at::Tensor x = embed(student_, document);
      for (int layer = 0; layer < c_.layers; ++layer) {
        NATSCOPE_CHECK(check(stop));
        inputs.push_back(x);
        x = feed_forward(student_, layer, attention(student_, layer, x, choice));
      }
      inputs.push_back(x);
    }
    choice.pass = nullptr;  // what is computed again is not counted again

    at::Tensor dx = distance_backward(inputs.back(), wanted, document, context.scale, pass, gradient);
    inputs.pop_back();
    if (norm_index_ >= 0) NATSCOPE_CHECK(tell_ready(static_cast<std::size_t>(norm_index_), context));
    for (int layer = c_.layers - 1; layer >= 0; --layer) {
      NATSCOPE_CHECK(check(stop));
      dx = layer_backward(layer, inputs.back(), dx, choice, gradient);
      inputs.pop_back();
      if (const auto found = of_layer_.find(layer); found != of_layer_.end()) {
        for (const std::size_t index : found->second) NATSCOPE_CHECK(tell_ready(index, context));
      }
    }
    if (options_.trained == Trained::all) {
      embedding_backward(document, dx, gradient);
      NATSCOPE_CHECK(tell_ready(static_cast<std::size_t>(embed_index_), context));
    }
    return pass;
  }

  Expected<DistillPass> evaluate(const Document& document, const StopToken& stop) {
    const at::NoGradGuard no_gradient;
    begin(document);
    DistillPass pass;
    pass.tokens = document.size();
    pass.predicted = document.size() - 1;
    NATSCOPE_TRY(const at::Tensor wanted, teacher_hidden(document, stop));
    const Choice choice{RoleChoice::argmax, nullptr, &pass};
    pass.argmax.heads.resize(heads_count());
    at::Tensor x = embed(student_, document);
    for (int layer = 0; layer < c_.layers; ++layer) {
      NATSCOPE_CHECK(check(stop));
      x = feed_forward(student_, layer, attention(student_, layer, x, choice));
    }
    const at::Tensor hidden = normalise(x, student_.norm);
    pass.distance = (counted(document) * (hidden - wanted).square()).sum().item<double>() / cells(document);
    pass.nll = nll(student_, hidden, document);
    pass.full_nll = nll(teacher_, wanted, document);
    return pass;
  }

  ParameterLayout layout;

 private:
  struct Choice {
    RoleChoice roles = RoleChoice::all_global;
    const DistillContext* context = nullptr;
    DistillPass* pass = nullptr;  // whose statistics grow
  };

  [[nodiscard]] std::size_t heads_count() const {
    return static_cast<std::size_t>(c_.layers) * static_cast<std::size_t>(c_.kv_heads);
  }

  static void fill_normal(const CounterRandom& random, double deviation, std::int64_t count, float* out) {
    constexpr double full_turn = 6.283185307179586;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = 2 * static_cast<std::uint64_t>(i);
      const double radius = std::sqrt(-2.0 * std::log(static_cast<double>(random.uniform(at))));
      out[i] =
          static_cast<float>(deviation * radius * std::cos(full_turn * static_cast<double>(random.uniform(at + 1))));
    }
  }

  /// Lets the student's trained tensors be views of master_.
  void place_trained_tensors() {
    const auto members = named_members();
    for (const Parameter& p : layout.parameters) {
      at::Tensor tensor = at::from_blob(master_.data() + p.offset, p.shape, at::kFloat);
      tensor.requires_grad_(true);
      trained_.push_back(tensor);
      if (p.name == "model.embed_tokens.weight") {
        student_.embed = tensor;
        if (c_.tied) student_.lm_head = tensor;
      } else if (p.name == "model.norm.weight") {
        student_.norm = tensor;
      } else if (p.name == "lm_head.weight") {
        student_.lm_head = tensor;
      } else {
        const std::size_t number = std::string_view("model.layers.").size();
        const std::size_t dot = p.name.find('.', number);
        const int layer = std::stoi(p.name.substr(number, dot - number));
        for (const auto& [name, member] : members) {
          if (name == std::string_view(p.name).substr(dot + 1)) {
            student_.layers[static_cast<std::size_t>(layer)].*member = tensor;
            of_layer_[layer].push_back(trained_.size() - 1);
          }
        }
      }
      if (p.name == "model.norm.weight") norm_index_ = static_cast<std::int64_t>(trained_.size()) - 1;
      if (p.name == "model.embed_tokens.weight") embed_index_ = static_cast<std::int64_t>(trained_.size()) - 1;
    }
  }

  /// The base's own tensor of that name; null for what only the student has.
  [[nodiscard]] const at::Tensor* base_tensor(const std::string& name) const {
    if (name == "model.embed_tokens.weight") return &teacher_.embed;
    if (name == "model.norm.weight") return &teacher_.norm;
    if (name == "lm_head.weight") return &teacher_.lm_head;
    const std::size_t number = std::string_view("model.layers.").size();
    const std::size_t dot = name.find('.', number);
    const auto layer = static_cast<std::size_t>(std::stoi(name.substr(number, dot - number)));
    for (const auto& [part, member] : named_members()) {
      const at::Tensor& tensor = teacher_.layers[layer].*member;
      if (part == std::string_view(name).substr(dot + 1) && tensor.defined()) return &tensor;
    }
    return nullptr;
  }

  /// Cosines and sines of the document's positions, [T, 1, D/2].
  void begin(const Document& document) {
    const auto half = static_cast<std::int64_t>(frequencies_.size());
    if (cosine_.defined() && cosine_.size(0) >= document.size()) return;
    cosine_ = at::empty({document.size(), 1, half}, at::kFloat);
    sine_ = at::empty_like(cosine_);
    for (std::int64_t position = 0; position < document.size(); ++position) {
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(position) * static_cast<double>(frequencies_[static_cast<std::size_t>(i)]);
        cosine_.data_ptr<float>()[position * half + i] = static_cast<float>(std::cos(angle));
        sine_.data_ptr<float>()[position * half + i] = static_cast<float>(std::sin(angle));
      }
    }
  }

  [[nodiscard]] at::Tensor normalise(const at::Tensor& x, const at::Tensor& weight) const {
    const at::Tensor scale = at::rsqrt(x.square().mean(-1, true) + c_.rms_norm_eps);
    return x * scale * weight.to(at::kFloat);
  }

  [[nodiscard]] at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {}) const {
    at::Tensor y;
    if (options_.dtype == ComputeDType::bfloat16) {
      y = at::linear(x.to(at::kBFloat16), weight.to(at::kBFloat16)).to(at::kFloat);
    } else {
      y = at::linear(x, weight.to(at::kFloat));
    }
    return bias.defined() ? y + bias.to(at::kFloat) : y;
  }

  [[nodiscard]] at::Tensor adapted(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                   const at::Tensor& lora_a, const at::Tensor& lora_b) const {
    at::Tensor y = product(x, weight, bias);
    if (!lora_a.defined()) return y;
    return y + product(product(x, lora_a), lora_b) * (options_.lora_alpha / options_.lora_rank);
  }

  /// x [T, heads, D] rotated, as [heads, T, D].
  [[nodiscard]] at::Tensor rotate(const at::Tensor& x) const {
    const std::int64_t half = c_.head_dim / 2;
    const at::Tensor cosine = cosine_.narrow(0, 0, x.size(0)), sine = sine_.narrow(0, 0, x.size(0));
    const at::Tensor low = x.narrow(-1, 0, half), high = x.narrow(-1, half, half);
    return at::cat({low * cosine - high * sine, high * cosine + low * sine}, -1).transpose(0, 1);
  }

  [[nodiscard]] static at::Tensor embed(const ModelTensors& model, const Document& document) {
    const at::Tensor tokens =
        at::from_blob(const_cast<std::int32_t*>(document.tokens.data()), {document.size()}, at::kInt);
    return model.embed.index_select(0, tokens).to(at::kFloat).detach();
  }

  /// x + attention(norm(x)), x [T, E].
  [[nodiscard]] at::Tensor attention(const ModelTensors& model, int layer, const at::Tensor& x,
                                     const Choice& choice) const {
    const LayerTensors& w = model.layers[static_cast<std::size_t>(layer)];
    const std::int64_t length = x.size(0);
    const at::Tensor normal = normalise(x, w.input_norm);
    at::Tensor q = adapted(normal, w.q, w.q_bias, w.q_lora_a, w.q_lora_b).view({length, c_.heads, c_.head_dim});
    at::Tensor k = adapted(normal, w.k, w.k_bias, w.k_lora_a, w.k_lora_b).view({length, c_.kv_heads, c_.head_dim});
    const at::Tensor v =
        adapted(normal, w.v, w.v_bias, w.v_lora_a, w.v_lora_b).view({length, c_.kv_heads, c_.head_dim}).transpose(0, 1);
    if (w.q_norm.defined()) q = normalise(q, w.q_norm);
    if (w.k_norm.defined()) k = normalise(k, w.k_norm);

    RoleAttentionSetup setup;
    setup.choice = choice.roles;
    setup.window = options_.window;
    setup.global_bias = static_cast<float>(options_.global_bias);
    setup.dtype = options_.dtype == ComputeDType::bfloat16 ? kernels::ElementType::bf16 : kernels::ElementType::f32;
    if (choice.context != nullptr) {
      setup.noise = CounterRandom(choice.context->seed, random_purpose::role_noise,
                                  static_cast<std::uint64_t>(choice.context->step), static_cast<std::uint64_t>(layer));
      setup.first_row = choice.context->first_row;
      setup.applied_sparsity = choice.context->applied_sparsity;
    }
    if (choice.pass != nullptr) {
      const auto first = static_cast<std::size_t>(layer) * static_cast<std::size_t>(c_.kv_heads);
      if (choice.roles == RoleChoice::sampled) setup.sampled = &choice.pass->sampled.heads[first];
      setup.argmax = &choice.pass->argmax.heads[first];
    }
    at::Tensor scores;
    // The scores' gradient does not flow into their input (section 2); they are never rounded.
    if (choice.roles != RoleChoice::all_global) scores = at::linear(normal.detach(), w.score);
    const at::Tensor out = role_attention(rotate(q), rotate(k), v, scores, setup);
    return x + adapted(out.transpose(0, 1).reshape({length, c_.q_rows()}), w.o, w.o_bias, w.o_lora_a, w.o_lora_b);
  }

  /// h + feed-forward(norm(h)) of some rows.
  [[nodiscard]] at::Tensor feed_forward_rows(const ModelTensors& model, int layer, const at::Tensor& h) const {
    const LayerTensors& w = model.layers[static_cast<std::size_t>(layer)];
    const at::Tensor normal = normalise(h, w.post_attention_norm);
    const at::Tensor inner = at::silu(product(normal, w.gate, w.gate_bias)) * product(normal, w.up, w.up_bias);
    return h + product(inner, w.down, w.down_bias);
  }

  [[nodiscard]] at::Tensor feed_forward(const ModelTensors& model, int layer, const at::Tensor& h) const {
    at::Tensor out = at::empty_like(h);
    for (std::int64_t row = 0; row < h.size(0); row += options_.rows) {
      const std::int64_t rows = std::min<std::int64_t>(options_.rows, h.size(0) - row);
      out.narrow(0, row, rows).copy_(feed_forward_rows(model, layer, h.narrow(0, row, rows)));
    }
    return out;
  }

  Expected<at::Tensor> teacher_hidden(const Document& document, const StopToken& stop) const {
    const at::NoGradGuard no_gradient;
    at::Tensor x = embed(teacher_, document);
    for (int layer = 0; layer < c_.layers; ++layer) {
      NATSCOPE_CHECK(check(stop));
      x = feed_forward(teacher_, layer, attention(teacher_, layer, x, {}));
    }
    return normalise(x, teacher_.norm);
  }

  /// [T, 1]: 1 where the position is part of the loss.
  [[nodiscard]] static at::Tensor counted(const Document& document) {
    if (document.counted.empty()) return at::ones({document.size(), 1}, at::kFloat);
    const at::Tensor bytes =
        at::from_blob(const_cast<std::uint8_t*>(document.counted.data()), {document.size(), 1}, at::kByte);
    return bytes.to(at::kFloat);
  }
  [[nodiscard]] double cells(const Document& document) const {
    const auto positions = document.counted.empty()
                               ? document.size()
                               : std::count(document.counted.begin(), document.counted.end(), std::uint8_t{1});
    return static_cast<double>(std::max<std::int64_t>(1, positions)) * c_.hidden;
  }

  Expected<void> tell_ready(std::size_t index, const DistillContext& context) const {
    if (!context.gradient_ready) return {};
    const Parameter& p = layout.parameters[index];
    return context.gradient_ready(p.offset, p.offset + p.elements);
  }

  void add_gradients(const std::vector<std::size_t>& indices, const at::Tensor* gradients, std::span<float> sum) const {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (!gradients[i].defined()) continue;
      const Parameter& p = layout.parameters[indices[i]];
      at::from_blob(sum.data() + p.offset, p.shape, at::kFloat).add_(gradients[i]);
    }
  }

  /// Gradient of the loss in the last layer's output.
  at::Tensor distance_backward(const at::Tensor& last, const at::Tensor& wanted, const Document& document, double scale,
                               DistillPass& pass, std::span<float> gradient) const {
    const at::Tensor x = last.detach().requires_grad_(true);
    const at::Tensor difference = normalise(x, student_.norm) - wanted;
    const at::Tensor distance = (counted(document) * difference.square()).sum() / cells(document);
    pass.distance = distance.item<double>();
    torch::autograd::variable_list wanted_gradients{x};
    if (norm_index_ >= 0) wanted_gradients.push_back(student_.norm);
    const auto gradients = torch::autograd::grad({distance * scale}, wanted_gradients);
    if (norm_index_ >= 0) add_gradients({static_cast<std::size_t>(norm_index_)}, &gradients[1], gradient);
    return gradients[0];
  }

  /// Computes the layer again from its input and takes the gradient through it; the gradient in its input.
  at::Tensor layer_backward(int layer, const at::Tensor& input, const at::Tensor& dy, const Choice& choice,
                            std::span<float> gradient) const {
    const auto found = of_layer_.find(layer);
    const std::vector<std::size_t> indices = found == of_layer_.end() ? std::vector<std::size_t>() : found->second;
    const at::Tensor x = input.detach().requires_grad_(true);
    const at::Tensor h = attention(student_, layer, x, choice);

    at::Tensor dh = at::empty_like(dy);
    for (std::int64_t row = 0; row < h.size(0); row += options_.rows) {
      const std::int64_t rows = std::min<std::int64_t>(options_.rows, h.size(0) - row);
      const at::Tensor piece = h.detach().narrow(0, row, rows).requires_grad_(true);
      const at::Tensor out = feed_forward_rows(student_, layer, piece);
      const auto gradients = through(out, dy.narrow(0, row, rows), piece, indices);
      dh.narrow(0, row, rows).copy_(gradients[0]);
      add_gradients(indices, gradients.data() + 1, gradient);
    }
    const auto gradients = through(h, dh, x, indices);
    add_gradients(indices, gradients.data() + 1, gradient);
    return gradients[0];
  }

  /// Gradients of `out` in `x`, then in the trained tensors; undefined where `out` does not depend on one.
  [[nodiscard]] torch::autograd::variable_list through(const at::Tensor& out, const at::Tensor& d_out,
                                                       const at::Tensor& x,
                                                       const std::vector<std::size_t>& indices) const {
    torch::autograd::variable_list inputs{x};
    for (const std::size_t index : indices) inputs.push_back(trained_[index]);
    return torch::autograd::grad({out}, inputs, {d_out}, std::nullopt, false, /*allow_unused=*/true);
  }

  void embedding_backward(const Document& document, const at::Tensor& dx, std::span<float> gradient) const {
    const at::Tensor tokens =
        at::from_blob(const_cast<std::int32_t*>(document.tokens.data()), {document.size()}, at::kInt);
    const Parameter& p = layout.parameters[static_cast<std::size_t>(embed_index_)];
    at::from_blob(gradient.data() + p.offset, p.shape, at::kFloat).index_add_(0, tokens, dx);
  }

  /// Sum of the negative log-likelihoods of tokens 1 … T − 1.
  [[nodiscard]] double nll(const ModelTensors& model, const at::Tensor& hidden, const Document& document) const {
    double sum = 0;
    for (std::int64_t row = 0; row + 1 < document.size(); row += logit_rows) {
      const std::int64_t rows = std::min(logit_rows, document.size() - 1 - row);
      const at::Tensor targets =
          at::from_blob(const_cast<std::int32_t*>(document.tokens.data()) + row + 1, {rows}, at::kInt);
      const at::Tensor logs = at::log_softmax(product(hidden.narrow(0, row, rows), model.lm_head), -1);
      sum -= logs.gather(1, targets.to(at::kLong).unsqueeze(1)).sum(at::kDouble).item<double>();
    }
    return sum;
  }

  ModelConfig c_;
  FinetuneOptions options_;
  ModelTensors teacher_, student_;
  std::vector<float> master_;
  std::vector<at::Tensor> trained_;                   // as layout.parameters, views of master_
  std::map<int, std::vector<std::size_t>> of_layer_;  // indices in trained_
  std::int64_t norm_index_ = -1;
  std::int64_t embed_index_ = -1;
  std::vector<float> frequencies_;
  at::Tensor cosine_, sine_;
};

namespace {

/// Runs `work`, turning what LibTorch throws into errors.
template <class Work>
auto guarded(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for a document",
                "take shorter documents with --length, or fewer --rows");
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    if (text.find("memory") != std::string::npos) {
      return fail(ErrorCode::out_of_memory, text, "take shorter documents with --length, or fewer --rows");
    }
    return fail(ErrorCode::internal, text);
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, error.what());
  }
}

}  // namespace

DistillationModel::DistillationModel(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
DistillationModel::DistillationModel(DistillationModel&&) noexcept = default;
DistillationModel& DistillationModel::operator=(DistillationModel&&) noexcept = default;
DistillationModel::~DistillationModel() = default;

Expected<DistillationModel> DistillationModel::create(const ModelFolder& base, const FinetuneOptions& options) {
  if (base.has_score_layers()) {
    return fail(ErrorCode::unsupported_model, "the base model has score layers already",
                "fine-tune a model with full attention");
  }
  return guarded([&]() -> Expected<DistillationModel> {
    return DistillationModel(std::make_unique<Implementation>(base, options));
  });
}

const ParameterLayout& DistillationModel::layout() const { return implementation_->layout; }
std::vector<float> DistillationModel::initial_weights(std::uint64_t seed) const {
  return implementation_->initial_weights(seed);
}
void DistillationModel::set_weights(std::span<const float> weights) { implementation_->set_weights(weights); }

Expected<DistillPass> DistillationModel::forward_backward(const Document& document, const DistillContext& context,
                                                          std::span<float> gradient, const StopToken& stop) {
  return guarded([&] { return implementation_->forward_backward(document, context, gradient, stop); });
}

Expected<DistillPass> DistillationModel::evaluate(const Document& document, const StopToken& stop) {
  return guarded([&] { return implementation_->evaluate(document, stop); });
}

}  // namespace natscope::train
