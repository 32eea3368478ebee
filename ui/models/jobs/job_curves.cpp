// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/jobs/job_curves.h"

#include <cmath>

namespace natscope::ui {
namespace {

/// More layers than any model has are a stranger's joke, not lines to draw.
constexpr std::size_t mostLayers = 256;

void addOptional(Curve& curve, std::int64_t step, const std::optional<double>& value) {
  if (value) curve.add(step, *value);
}

}  // namespace

void Curve::add(std::int64_t step, double value) {
  if (seen_++ % stride_ != 0 || !std::isfinite(value)) return;
  steps.append(static_cast<double>(step));
  values.append(value);
  if (steps.size() < most) return;
  const qsizetype half = steps.size() / 2;
  for (qsizetype i = 0; i < half; ++i) {
    steps[i] = steps[2 * i];
    values[i] = values[2 * i];
  }
  steps.resize(half);
  values.resize(half);
  stride_ *= 2;
}

void JobCurves::add(const jobs::JobPoint& point) {
  if (const auto* const step = std::get_if<jobs::StepPoint>(&point)) {
    loss.add(step->step, step->loss);
    addOptional(learningRate, step->step, step->learning_rate);
    addOptional(tokensPerSecond, step->step, step->tokens_per_s);
    if (step->sampled) sampledKv.add(step->step, step->sampled->kv_fraction);
    if (step->argmax) {
      global.add(step->step, step->argmax->global);
      local.add(step->step, step->argmax->local);
      sliding.add(step->step, step->argmax->sliding);
      argmaxKv.add(step->step, step->argmax->kv_fraction);
    }
    last = *step;
    return;
  }
  const auto& evaluation = std::get<jobs::EvaluationPoint>(point);
  heldOut.add(evaluation.step, evaluation.nll);
  const std::size_t count = std::min(mostLayers, evaluation.heads.size());
  if (layers.size() < count) layers.resize(count);
  for (std::size_t layer = 0; layer < count; ++layer) {
    if (!evaluation.heads[layer].empty()) layers[layer].add(evaluation.step, evaluation.layer(layer).kv_fraction);
  }
}

}  // namespace natscope::ui
