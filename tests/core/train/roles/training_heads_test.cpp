// SPDX-License-Identifier: GPL-3.0-or-later
// What a GPU cannot train is known before anything is computed, so that the CPU can take it.
#include <doctest/doctest.h>

#include <cstdlib>

#include "core/train/roles/gpu_attention.h"
#include "tests/core/engine/modules/host_device.h"

using namespace natscope;

TEST_CASE("heads that a GPU cannot train are no device for them") {
  const auto module = DeviceModule::open(test::host_device_module);
  REQUIRE_MESSAGE(module.has_value(), (module ? std::string() : format_error_line(module.error())));
  const train::TrainingHeads heads{256, kernels::ElementType::bf16};
  CHECK(train::check_training_heads(**module, heads));
  setenv("NATSCOPE_TEST_SMALL_DEVICE", "1", 1);
  const auto refused = train::check_training_heads(**module, heads);
  unsetenv("NATSCOPE_TEST_SMALL_DEVICE");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::device_unavailable);
  CHECK(refused.error().message == "the GPU cannot train this model: heads of this size do not fit it");
}
