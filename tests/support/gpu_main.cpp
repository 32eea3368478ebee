// SPDX-License-Identifier: GPL-3.0-or-later
// The main of tests that need a GPU: without one they did not run, and say so; exit code 77 shows as "skipped".
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "kernels/cuda/device.h"
#include "tests/support/gpu_main.h"

int main(int argc, char** argv) {
  natscope::kernels::cuda::DeviceInfo info;
  if (const natscope::kernels::Status status = natscope::kernels::cuda::device_info(info); !status.ok()) {
    std::printf("not run: no GPU (%s)\n", status.detail);
    return status.code == natscope::kernels::StatusCode::backend_unavailable ? 77 : 1;
  }
  const char* const missing = natscope::test::what_is_missing ? natscope::test::what_is_missing() : nullptr;
  if (missing != nullptr) {
    std::printf("not run: %s\n", missing);
    return 77;
  }
  std::printf("on %s, compute capability %d.%d\n", info.name, info.major, info.minor);
  return doctest::Context(argc, argv).run();
}
