// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/distillation_model.h"

#include <new>
#include <string>

#include "core/train/distillation_passes.h"

namespace natscope::train {

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
    return DistillationModel(std::make_unique<Implementation>(base.config(), options, stored_tensors(base.weights()),
                                                              host_distillation_attention(base.config(), options)));
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
