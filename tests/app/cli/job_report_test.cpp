// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/jobs/job_report.h"

#include <doctest/doctest.h>

#include "core/train/progress_points.h"

namespace natscope::test {

TEST_CASE("what fine-tuning makes smaller is called a distance, and the loss of training from scratch a loss") {
  jobs::StepPoint point;
  point.step = 3;
  point.loss = 0.0123456;
  CHECK(point_line(point, 9, jobs::JobKind::train) == "step 3/9  loss 0.0123");
  CHECK(point_line(point, 9, jobs::JobKind::finetune) == "step 3/9  distance 0.012346");

  train::StepReport report;
  report.step = 3;
  report.steps = 9;
  report.loss = 0.0123456;
  CHECK(train::progress_text(report).starts_with("step 3/9  loss 0.012346  "));
  report.is_distance = true;
  CHECK(train::progress_text(report).starts_with("step 3/9  distance 0.012346  "));
}

}  // namespace natscope::test
