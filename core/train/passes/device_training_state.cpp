// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/device_training_state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "core/device/torch_errors.h"
#include "core/train/passes/row_operations.h"
#include "core/train/passes/torch_side_stream.h"
#include "core/train/ranks/nccl_all_reduce.h"

namespace natscope::train {

namespace {

constexpr MemoryWords no_memory{"no memory on the device for weights, gradient and moments",
                                "train less of the model, or use --device cpu"};

// optimizer.h: who decays, and who is clipped.
bool decays(ParameterKind kind) { return kind != ParameterKind::norm; }
bool is_norm(ParameterKind kind) { return kind == ParameterKind::norm; }
bool is_clipped(ParameterKind kind) { return kind != ParameterKind::score; }

/// Where the device's memory is the host's.
class HostAllReduce final : public DeviceAllReduce {
 public:
  explicit HostAllReduce(RankGroup& ranks) : ranks_(ranks) {}
  [[nodiscard]] Expected<void> begin(float* numbers, std::int64_t count) override {
    return ranks_.begin_all_reduce({numbers, static_cast<std::size_t>(count)});
  }
  [[nodiscard]] Expected<void> finish() override { return ranks_.finish_all_reduce(); }

 private:
  RankGroup& ranks_;
};

void copy_up(const at::Tensor& to, std::span<const float> from) {
  const at::NoGradGuard no_gradient;
  to.copy_(at::from_blob(const_cast<float*>(from.data()), {static_cast<std::int64_t>(from.size())}, at::kFloat));
}

void copy_down(const at::Tensor& from, std::span<float> to) {
  at::from_blob(to.data(), {static_cast<std::int64_t>(to.size())}, at::kFloat).copy_(from);
}

}  // namespace

DeviceTrainingState::DeviceTrainingState(const ParameterLayout& layout, at::Device device)
    : layout_(layout), weights_(at::zeros({layout.size}, at::TensorOptions().dtype(at::kFloat).device(device))) {}

void DeviceTrainingState::set_weights(std::span<const float> weights) { copy_up(weights_, weights); }

Expected<void> DeviceTrainingState::set(const TrainingState& state) {
  return without_exceptions(no_memory, [&]() -> Expected<void> {
    if (!first_moment_.defined()) {
      first_moment_ = at::zeros_like(weights_);
      second_moment_ = at::zeros_like(weights_);
    }
    copy_up(weights_, state.weights);
    copy_up(first_moment_, state.first_moment);
    copy_up(second_moment_, state.second_moment);
    return {};
  });
}

Expected<void> DeviceTrainingState::bring_down(TrainingState& state) const {
  return without_exceptions(no_memory, [&]() -> Expected<void> {
    copy_down(weights_, state.weights);
    copy_down(first_moment_, state.first_moment);
    copy_down(second_moment_, state.second_moment);
    return {};
  });
}

Expected<void> DeviceTrainingState::clear_gradient() {
  return without_exceptions(no_memory, [&]() -> Expected<void> {
    if (gradient_.defined()) {
      gradient_.zero_();
    } else {
      gradient_ = at::zeros_like(weights_);
    }
    return {};
  });
}

std::vector<at::Tensor> DeviceTrainingState::parts(const at::Tensor& flat, bool (*wanted)(ParameterKind)) const {
  std::vector<at::Tensor> tensors;
  for (const Parameter& p : layout_.parameters) {
    if (wanted(p.kind)) tensors.push_back(flat.narrow(0, p.offset, p.elements));
  }
  return tensors;
}

void DeviceTrainingState::adamw(const OptimizerOptions& options, double weight_decay, std::int64_t number,
                                bool (*wanted)(ParameterKind)) {
  const std::vector<at::Tensor> weights = parts(weights_, wanted);
  if (weights.empty()) return;
  const std::vector<at::Tensor> steps(weights.size(), at::full({}, static_cast<double>(number), weights_.options()));
  at::_fused_adamw_(weights, parts(gradient_, wanted), parts(first_moment_, wanted), parts(second_moment_, wanted), {},
                    steps, options.learning_rate, options.beta1, options.beta2, weight_decay, AdamStep{}.epsilon,
                    /*amsgrad=*/false, /*maximize=*/false);
}

Expected<OptimizerReport> DeviceTrainingState::step(const OptimizerOptions& options, std::int64_t number) {
  return without_exceptions(no_memory, [&]() -> Expected<OptimizerReport> {
    const at::NoGradGuard no_gradient;
    OptimizerReport report;
    report.learning_rate = options.learning_rate;
    const std::vector<at::Tensor> clipped = parts(gradient_, is_clipped);
    const auto squares = [](const std::vector<at::Tensor>& of) {
      return at::stack(at::_foreach_norm(of, 2, at::kDouble)).square().sum();
    };
    const at::Tensor none = at::zeros({}, weights_.options().dtype(at::kDouble));
    const std::vector<at::Tensor> others = parts(gradient_, [](ParameterKind kind) { return !is_clipped(kind); });
    // Both in one transfer: each would make the host wait for the device.
    const at::Tensor sums =
        at::stack({clipped.empty() ? none : squares(clipped), others.empty() ? none : squares(others)}).cpu();
    const double* const sum = sums.const_data_ptr<double>();
    report.gradient_norm = std::sqrt(sum[0]);
    report.is_finite = std::isfinite(sum[0]) && std::isfinite(sum[1]);
    if (report.gradient_norm > options.clip) at::_foreach_mul_(clipped, options.clip / report.gradient_norm);
    adamw(options, options.weight_decay, number, decays);
    adamw(options, 0.0, number, is_norm);
    return report;
  });
}

Expected<void> DeviceTrainingState::join(RankGroup& ranks) {
  if (weights_.is_cpu()) {
    all_reduce_ = std::make_unique<HostAllReduce>(ranks);
    return {};
  }
  NATSCOPE_TRY(auto side, torch_side_stream());
  NATSCOPE_TRY(all_reduce_, nccl_all_reduce(ranks, std::move(side)));
  return {};
}

Expected<void> DeviceTrainingState::begin_all_reduce(std::int64_t begin, std::int64_t end) {
  return all_reduce_->begin(gradient_.data_ptr<float>() + begin, end - begin);
}

Expected<void> DeviceTrainingState::finish_all_reduce() { return all_reduce_->finish(); }

}  // namespace natscope::train
