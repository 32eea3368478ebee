// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QVector>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/jobs/job_progress.h"

namespace natscope::ui {

/// One line of a chart. Holds at most `most` points: when it is full every second one goes, because a screen shows no
/// more and a stranger's file may have any number.
struct Curve {
  static constexpr qsizetype most = 8192;

  QVector<double> steps;
  QVector<double> values;

  void add(std::int64_t step, double value);

 private:
  std::int64_t stride_ = 1;
  std::int64_t seen_ = 0;
};

/// What progress.jsonl says of a job, as lines to draw. Fractions are 0 … 1, losses are nats a token.
struct JobCurves {
  Curve loss;
  Curve heldOut;
  Curve global, local, sliding;  ///< argmax roles: those that inference chooses
  Curve sampledKv, argmaxKv;     ///< of training's drawn roles, and of inference's
  Curve learningRate;
  Curve tokensPerSecond;
  std::vector<Curve> layers;  ///< held-out KV fraction, mean over a layer's heads
  std::optional<jobs::StepPoint> last;

  void add(const jobs::JobPoint& point);
};

}  // namespace natscope::ui
