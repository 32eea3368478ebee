// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/ranks/gpu_of_rank.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

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

TEST_CASE("before MPI begins, what the starter says of ranks counts") {
  const char* const variable = "CUDA_VISIBLE_DEVICES";
  const char* const before = std::getenv(variable);
  const std::string kept = before != nullptr ? before : "";
  const auto chosen = [&](const char* rank, const char* size, const char* given) {
    ::setenv("OMPI_COMM_WORLD_LOCAL_RANK", rank, 1);
    ::setenv("OMPI_COMM_WORLD_LOCAL_SIZE", size, 1);
    ::setenv(variable, given, 1);
    train::take_gpu_of_starter();
    return std::string(std::getenv(variable));
  };
  CHECK(chosen("1", "2", "4,6") == "6");
  CHECK(chosen("0", "1", "4,6") == "4,6");  // alone on its machine: all are its own
  CHECK(chosen("2", "3", "4,6") == "4,6");  // too few: said later, where there is somebody to say it
  CHECK(chosen("3", "2", "4,6") == "4,6");
  CHECK(chosen("x", "2", "4,6") == "4,6");
  ::unsetenv("OMPI_COMM_WORLD_LOCAL_RANK");
  ::unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  before != nullptr ? ::setenv(variable, kept.c_str(), 1) : ::unsetenv(variable);
}

TEST_CASE("more ranks than GPUs are an error that counts both") {
  const auto problem = visible_gpu("0,1", 2, 3);
  REQUIRE_FALSE(problem.has_value());
  CHECK(problem.error().code == ErrorCode::device_unavailable);
  CHECK(problem.error().message == "3 ranks on this machine, and 2 GPUs for them (CUDA_VISIBLE_DEVICES)");
}
