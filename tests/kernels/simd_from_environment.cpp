// SPDX-License-Identifier: GPL-3.0-or-later
#include <hwy/highway.h>

#include <cstdlib>
#include <string_view>

/// NATSCOPE_SIMD=avx2 or sse4 in the environment: what better processors have is left alone, so that a test on one of
/// them also runs the code that others would choose.
namespace {

const bool chosen = [] {
  const char* wanted = std::getenv("NATSCOPE_SIMD");
  if (wanted == nullptr) return false;
  const std::string_view name(wanted);
  if (name == "avx2") hwy::DisableTargets(HWY_AVX3 | HWY_AVX3_DL);
  if (name == "sse4") hwy::DisableTargets(HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL);
  return true;
}();

}  // namespace
