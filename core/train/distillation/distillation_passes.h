// SPDX-License-Identifier: GPL-3.0-or-later
/// What stands behind a DistillationModel. Private to core/train.
///
/// Of a layer only its input is kept; its inside is computed again in the backward pass, the feed-forward part a piece
/// of rows at a time. Everything but attention is LibTorch's operations, with gradients by its autograd.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/train/distillation/distillation_attention.h"
#include "core/train/distillation/distillation_model.h"
#include "core/train/passes/device_training_state.h"
#include "core/train/passes/llama_operations.h"
#include "core/train/weights/base_tensors.h"
#include "core/train/weights/trained_tensors.h"

namespace natscope::train {

/// Contracts as DistillationModel's; may throw what LibTorch throws.
class DistillationModel::Implementation {
 public:
  /// `teacher`: the base's tensors, on the device of the passes; the student shares them where it trains none of its
  /// own. `sums_in_place`: passes on the CPU, which add gradients to the caller's memory as they come; others do once a
  /// pass, or keep them.
  Implementation(const ModelConfig& base, const FinetuneOptions& options, ModelTensors teacher,
                 std::unique_ptr<DistillationAttention> attention, bool sums_in_place);

  void set_weights(std::span<const float> weights);
  [[nodiscard]] DeviceTrainingState* device_state() { return sums_in_place_ ? nullptr : &state_; }
  [[nodiscard]] std::vector<float> initial_weights(std::uint64_t seed) const;
  Expected<DistillPass> forward_backward(const Document& document, const DistillContext& context,
                                         std::span<float> gradient, const StopToken& stop);
  Expected<DistillPass> evaluate(const Document& document, const StopToken& stop);

  const ParameterLayout layout;

 private:
  void begin(const Document& document);
  [[nodiscard]] at::Tensor on_device(const std::vector<std::int32_t>& numbers, std::size_t begin,
                                     std::int64_t count) const;
  /// [T, 1]: 1 where the position is part of the loss.
  [[nodiscard]] at::Tensor counted(const Document& document) const;
  [[nodiscard]] RoleStatistics no_statistics() const;

  [[nodiscard]] at::Tensor normalise(const at::Tensor& x, const at::Tensor& weight) const;
  [[nodiscard]] at::Tensor projected(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) const;
  [[nodiscard]] at::Tensor adapted(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                   const at::Tensor& lora_a, const at::Tensor& lora_b) const;
  [[nodiscard]] at::Tensor embed(const ModelTensors& model, const Document& document) const;
  /// x + attention(norm(x)), x [T, E].
  [[nodiscard]] at::Tensor attention(const ModelTensors& model, const at::Tensor& x, const RoleRequest& request) const;
  /// h + feed-forward(norm(h)), of some rows and of all.
  [[nodiscard]] at::Tensor feed_forward_rows(const ModelTensors& model, int layer, const at::Tensor& h) const;
  [[nodiscard]] at::Tensor feed_forward(const ModelTensors& model, int layer, const at::Tensor& h) const;
  /// Through all layers and the last norm, [T, E].
  [[nodiscard]] Expected<at::Tensor> teacher_hidden(const Document& document, const StopToken& stop) const;

  /// Gradient of the loss in the last layer's output.
  at::Tensor distance_backward(const at::Tensor& last, const at::Tensor& wanted, const Document& document, double scale,
                               DistillPass& pass, const at::Tensor& sum) const;
  /// Computes the layer again from its input and takes the gradient through it; the gradient in its input.
  at::Tensor layer_backward(const at::Tensor& input, const at::Tensor& dy, const RoleRequest& request,
                            const at::Tensor& sum) const;
  void embedding_backward(const Document& document, const at::Tensor& dx, const at::Tensor& sum) const;
  void add_gradients(const std::vector<std::size_t>& numbers, const at::Tensor* gradients, const at::Tensor& sum) const;
  Expected<void> tell_ready(std::size_t number, const DistillContext& context) const;

  /// Sum of the negative log-likelihoods of tokens 1 … T − 1.
  [[nodiscard]] double nll(const ModelTensors& model, const at::Tensor& hidden, const Document& document) const;

  ModelConfig c_;
  FinetuneOptions options_;
  at::ScalarType products_;
  std::unique_ptr<DistillationAttention> attention_;
  bool sums_in_place_;
  ModelTensors teacher_, student_;
  at::Device device_;
  DeviceTrainingState state_;  // of passes on the CPU the weights alone
  TrainedTensors trained_;
  RotaryEmbedding rotary_;
  RotationTensors rotation_;
};

}  // namespace natscope::train
