// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/ranks/gpu_of_rank.h"

#include <doctest/doctest.h>

using namespace natscope;
using train::visible_gpu;

TEST_CASE("each rank of a machine sees one GPU") {
  CHECK(*visible_gpu({}, 0, 2) == "0");
  CHECK(*visible_gpu({}, 1, 2) == "1");
  CHECK(*visible_gpu("2,5,7", 0, 2) == "2");
  CHECK(*visible_gpu("2,5,7", 1, 2) == "5");
  CHECK(*visible_gpu("GPU-8932f937,GPU-5a41", 1, 2) == "GPU-5a41");
}

TEST_CASE("what a starter or the user has chosen stands") {
  CHECK(*visible_gpu("3", 1, 2) == "3");
  CHECK(visible_gpu("", 1, 2)->empty());
}

TEST_CASE("more ranks than GPUs are an error that counts both") {
  const auto problem = visible_gpu("0,1", 2, 3);
  REQUIRE_FALSE(problem.has_value());
  CHECK(problem.error().code == ErrorCode::device_unavailable);
  CHECK(problem.error().message == "3 ranks on this machine, and 2 GPUs for them (CUDA_VISIBLE_DEVICES)");
}
