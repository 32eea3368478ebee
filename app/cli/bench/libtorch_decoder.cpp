// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/libtorch_decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>

#include <vector>

#include "core/device/torch_types.h"
#include "core/model/stored_type.h"

namespace natscope::bench {
namespace {

struct Layer {
  at::Tensor input_norm, q, k, v, o, post_norm, gate, up, down;
  at::Tensor keys, values;  // [1, kv_heads, T, head_dim]
};

at::Tensor wrap(const WeightView& view) {
  const auto dtype = torch_type(stored_type(view.dtype));
  // The weights stay mapped and are only read.
  void* data = const_cast<std::byte*>(view.data);
  return view.rows == 1 ? at::from_blob(data, {view.cols}, dtype) : at::from_blob(data, {view.rows, view.cols}, dtype);
}

at::Tensor normalised(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const at::Tensor wide = x.to(at::kFloat);
  return (wide * at::rsqrt(wide.pow(2).mean(-1, true) + epsilon)).to(x.scalar_type()) * weight;
}

at::Tensor rotated(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const auto halves = x.chunk(2, -1);
  return x * cosine + at::cat({-halves[1], halves[0]}, -1) * sine;
}

}  // namespace

struct LibTorchDecoder::State {
  ModelFolder folder;  // keeps the weights mapped
  std::vector<Layer> layers;
  at::Tensor embed, norm, head, inverse_frequencies;
  at::ScalarType dtype = at::kFloat;
  std::int64_t position = 0;
};

LibTorchDecoder::LibTorchDecoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
LibTorchDecoder::LibTorchDecoder(LibTorchDecoder&&) noexcept = default;
LibTorchDecoder& LibTorchDecoder::operator=(LibTorchDecoder&&) noexcept = default;
LibTorchDecoder::~LibTorchDecoder() = default;

Expected<LibTorchDecoder> LibTorchDecoder::create(const ModelFolder& folder, kernels::ElementType dtype,
                                                  std::int64_t depth) {
  const c10::InferenceMode no_gradients;
  const ModelConfig& config = folder.config();
  auto state = std::make_unique<State>(State{folder, {}, {}, {}, {}, {}, at::kFloat, depth});
  state->dtype = torch_type(dtype);
  try {
    for (const LayerWeights& weights : folder.weights().layers) {
      Layer layer{wrap(weights.input_norm),
                  wrap(weights.q),
                  wrap(weights.k),
                  wrap(weights.v),
                  wrap(weights.o),
                  wrap(weights.post_attention_norm),
                  wrap(weights.gate),
                  wrap(weights.up),
                  wrap(weights.down),
                  {},
                  {}};
      layer.keys = at::randn({1, config.kv_heads, depth, config.head_dim}, at::kFloat).to(state->dtype);
      layer.values = at::randn({1, config.kv_heads, depth, config.head_dim}, at::kFloat).to(state->dtype);
      state->layers.push_back(std::move(layer));
    }
    state->embed = wrap(folder.weights().embed);
    state->norm = wrap(folder.weights().norm);
    state->head = wrap(folder.weights().lm_head);
    state->inverse_frequencies =
        at::pow(config.rope.theta, -at::arange(0, config.head_dim, 2, at::kFloat) / config.head_dim);
  } catch (const std::exception& problem) {
    return fail(ErrorCode::out_of_memory, std::string("the LibTorch reference cannot be made: ") + problem.what());
  }
  return LibTorchDecoder(std::move(state));
}

void LibTorchDecoder::step(std::int32_t token) {
  const c10::InferenceMode no_gradients;
  State& s = *state_;
  const ModelConfig& config = s.folder.config();
  const at::Tensor angles = s.inverse_frequencies * static_cast<double>(s.position++);
  const at::Tensor twice = at::cat({angles, angles}, -1);
  const at::Tensor cosine = twice.cos().to(s.dtype);
  const at::Tensor sine = twice.sin().to(s.dtype);
  at::Tensor x = s.embed[token].unsqueeze(0).to(s.dtype);
  for (Layer& layer : s.layers) {
    const at::Tensor h = normalised(x, layer.input_norm, config.rms_norm_eps);
    const at::Tensor q = at::linear(h, layer.q).view({1, config.heads, 1, config.head_dim});
    const at::Tensor k = at::linear(h, layer.k).view({1, config.kv_heads, 1, config.head_dim});
    const at::Tensor v = at::linear(h, layer.v).view({1, config.kv_heads, 1, config.head_dim});
    layer.keys = at::cat({layer.keys, rotated(k, cosine, sine)}, 2);
    layer.values = at::cat({layer.values, v}, 2);
    const at::Tensor attended = at::scaled_dot_product_attention(rotated(q, cosine, sine), layer.keys, layer.values);
    x = x + at::linear(attended.reshape({1, -1}), layer.o);
    const at::Tensor m = normalised(x, layer.post_norm, config.rms_norm_eps);
    x = x + at::linear(at::silu(at::linear(m, layer.gate)) * at::linear(m, layer.up), layer.down);
  }
  const at::Tensor logits = at::linear(normalised(x, s.norm, config.rms_norm_eps), s.head);
  [[maybe_unused]] const auto best = logits.argmax().item<std::int64_t>();
}

}  // namespace natscope::bench
