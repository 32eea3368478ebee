// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/trained_tensors.h"

#include <algorithm>
#include <cmath>

#include "core/train/random/counter_random.h"

namespace natscope::train {

namespace {

void fill_normal(const CounterRandom& random, double deviation, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i), deviation));
  }
}

}  // namespace

TrainedTensors::TrainedTensors(const ParameterLayout& layout, const at::Tensor& weights) : layout_(layout) {
  for (std::size_t number = 0; number < layout.parameters.size(); ++number) {
    leaves_.push_back(part_of(weights, number).detach().requires_grad_(true));
    const std::string& name = layout.parameters[number].name;
    if (const auto layer = train::layer_of(name)) of_layer_[*layer].push_back(number);
    if (name == "model.norm.weight") norm_ = number;
    if (name == "model.embed_tokens.weight") embedding_ = number;
  }
}

void TrainedTensors::place_in(ModelTensors& student, bool tied) const {
  for (std::size_t number = 0; number < leaves_.size(); ++number) {
    if (at::Tensor* const place = student.find(layout_.parameters[number].name)) *place = leaves_[number];
  }
  if (tied && embedding_) student.lm_head = leaves_[*embedding_];
}

const std::vector<std::size_t>& TrainedTensors::of_layer(int layer) const {
  static const std::vector<std::size_t> none;
  const auto found = of_layer_.find(layer);
  return found == of_layer_.end() ? none : found->second;
}

at::Tensor TrainedTensors::part_of(const at::Tensor& flat, std::size_t number) const {
  const Parameter& p = layout_.parameters[number];
  return flat.narrow(0, p.offset, p.elements).view(p.shape);
}

std::vector<float> initial_trained_weights(const ParameterLayout& layout, const ModelTensors& base,
                                           std::uint64_t seed) {
  std::vector<float> weights(static_cast<std::size_t>(layout.size));
  std::uint64_t stream = 0;
  for (const Parameter& p : layout.parameters) {
    float* const out = weights.data() + p.offset;
    const CounterRandom random(seed, random_purpose::initial_weights, ++stream);
    const at::Tensor* const stored = base.find(p.name);
    if (stored != nullptr && stored->defined()) {
      const at::Tensor widened = stored->to(at::kCPU, at::kFloat).contiguous();
      std::copy_n(static_cast<const float*>(widened.data_ptr()), p.elements, out);
    } else if (p.kind == ParameterKind::score) {
      fill_normal(random, 0.02, p.elements, out);
    } else if (p.name.ends_with("lora_a")) {
      fill_normal(random, 1.0 / std::sqrt(static_cast<double>(p.shape.back())), p.elements, out);
    }
  }
  return weights;
}

}  // namespace natscope::train
