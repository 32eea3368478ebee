// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/distillation/distillation_model.h"

#include <utility>

#include "core/device/torch_errors.h"
#include "core/train/distillation/distillation_passes.h"
#include "core/train/passes/torch_device.h"

namespace natscope::train {

namespace {

constexpr MemoryWords no_memory{"no memory for a document", "take shorter documents with --length, or fewer --rows"};

}  // namespace

DistillationModel::DistillationModel(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
DistillationModel::DistillationModel(DistillationModel&&) noexcept = default;
DistillationModel& DistillationModel::operator=(DistillationModel&&) noexcept = default;
DistillationModel::~DistillationModel() = default;

Expected<void> DistillationModel::check_base(const ModelFolder& base) {
  if (!base.has_score_layers()) return {};
  return fail(ErrorCode::unsupported_model, "the base model has score layers already",
              "fine-tune a model with full attention; without --model that is the bundled demo's twin");
}

Expected<DistillationModel> DistillationModel::create(const ModelFolder& base, const FinetuneOptions& options,
                                                      PassesOn passes) {
  NATSCOPE_CHECK(check_base(base));
  return without_exceptions(no_memory, [&]() -> Expected<DistillationModel> {
    const ModelConfig& config = base.config();
    ModelTensors tensors = stored_tensors(base.weights());
    if (passes == PassesOn::cpu) {
      return DistillationModel(std::make_unique<Implementation>(config, options, std::move(tensors),
                                                                host_distillation_attention(config, options), true));
    }
    NATSCOPE_TRY(auto attention,
                 open_training_attention(passes, kernels::Backend::cpu, config.head_dim, options.dtype));
    return DistillationModel(
        std::make_unique<Implementation>(config, options, on_device(tensors, torch_device(passes)),
                                         device_distillation_attention(config, options, std::move(attention)), false));
  });
}

const ParameterLayout& DistillationModel::layout() const { return implementation_->layout; }
std::vector<float> DistillationModel::initial_weights(std::uint64_t seed) const {
  return implementation_->initial_weights(seed);
}
void DistillationModel::set_weights(std::span<const float> weights) { implementation_->set_weights(weights); }

DeviceTrainingState* DistillationModel::device_state() { return implementation_->device_state(); }

Expected<DistillPass> DistillationModel::forward_backward(const Document& document, const DistillContext& context,
                                                          std::span<float> gradient, const StopToken& stop) {
  return without_exceptions(no_memory,
                            [&] { return implementation_->forward_backward(document, context, gradient, stop); });
}

Expected<DistillPass> DistillationModel::evaluate(const Document& document, const StopToken& stop) {
  return without_exceptions(no_memory, [&] { return implementation_->evaluate(document, stop); });
}

}  // namespace natscope::train
