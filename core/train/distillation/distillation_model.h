// SPDX-License-Identifier: GPL-3.0-or-later
/// A model with full attention as teacher, and the same model with learned roles as student.
///
/// The student's score layers (and LoRA factors, or all weights) are trained so that its final hidden states, after the
/// last norm, come near the teacher's. Both read the same weights, mapped or on the device of the passes; a matrix that
/// is stored narrower is widened while it is used. Activations are checkpointed: of a layer only its input is kept, and
/// its inside is computed again in the backward pass, the feed-forward part in pieces of rows. Gradients are LibTorch's
/// autograd, with the role gradient of kernels/ at the attention. Source: the rules, sections 2 – 4, 6, 7, 9.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/io/model_folder.h"
#include "core/train/options/finetune_options.h"
#include "core/train/passes/training_device.h"
#include "core/train/roles/role_statistics.h"
#include "core/train/text/document.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

class DeviceTrainingState;

/// What a step adds to a document's own content.
struct DistillContext {
  std::uint64_t seed = 0;
  std::int64_t step = 0;       ///< from 1
  std::int64_t first_row = 0;  ///< tokens of the step before this document: noise does not depend on the order of work
  double scale = 1.0;          ///< 1 / documents of the step
  double applied_sparsity = 0.0;  ///< λ, already scaled
  /// Called with each trained tensor's part of the gradient, [begin, end), once nothing is added to it any more.
  std::function<Expected<void>(std::int64_t begin, std::int64_t end)> gradient_ready;
};

struct DistillPass {
  double distance = 0.0;    ///< mean over counted positions and hidden dimensions of the squared difference
  double nll = 0.0;         ///< evaluate() only: sums over predicted tokens, natural logarithm …
  double full_nll = 0.0;    ///< … and the teacher's
  std::int64_t tokens = 0;  ///< read
  std::int64_t predicted = 0;
  RoleStatistics sampled, argmax;  ///< over all layers and KV heads
};

class DistillationModel {
 public:
  /// Rows of logits that an evaluation has at a time, twice.
  static constexpr std::int64_t logit_rows = 512;

  /// Whether a base can be taught. Errors: unsupported_model (it has score layers already).
  [[nodiscard]] static Expected<void> check_base(const ModelFolder& base);

  /// `base` must outlive the model. On a GPU it is copied there once, in the type that it is stored in. Errors:
  /// those of check_base(), out_of_memory, device_unavailable.
  [[nodiscard]] static Expected<DistillationModel> create(const ModelFolder& base, const FinetuneOptions& options,
                                                          PassesOn passes = PassesOn::cpu);
  DistillationModel(DistillationModel&&) noexcept;
  DistillationModel& operator=(DistillationModel&&) noexcept;
  ~DistillationModel();

  [[nodiscard]] const ParameterLayout& layout() const;
  /// Functions of the seed, the tensor's number in the layout and the place alone; with Trained::all the base's own
  /// weights.
  [[nodiscard]] std::vector<float> initial_weights(std::uint64_t seed) const;
  void set_weights(std::span<const float> weights);

  /// Where weights, gradient and moments live beside the passes; null where the passes are the CPU's. Lives as long as
  /// the model.
  [[nodiscard]] DeviceTrainingState* device_state();

  /// Adds the gradient of scale · distance, and of the regulariser to the score layers, to `gradient` [layout().size]
  /// (or, where that is empty, to the state's own on the device), with drawn roles. Errors: interrupted, out_of_memory,
  /// internal.
  [[nodiscard]] Expected<DistillPass> forward_backward(const Document& document, const DistillContext& context,
                                                       std::span<float> gradient, const StopToken& stop);

  /// Forward only, with the roles that inference chooses. Errors as above.
  [[nodiscard]] Expected<DistillPass> evaluate(const Document& document, const StopToken& stop);

  class Implementation;

 private:
  explicit DistillationModel(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace natscope::train
