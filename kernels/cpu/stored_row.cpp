// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/stored_row.h"

#include "kernels/cpu/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/stored_row.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/simd_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

void round_row(const float* from, std::int64_t count, Bf16* to) {
  constexpr auto lanes = static_cast<std::int64_t>(f32_lanes);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store_row(hn::LoadU(F32(), from + i), to + i);
  for (; i < count; ++i) to[i] = to_bf16(from[i]);
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(round_row);

void store_bf16_row(const float* from, std::int64_t count, Bf16* to) {
  HWY_DYNAMIC_DISPATCH(round_row)(from, count, to);
}

}  // namespace natscope::kernels::cpu
#endif
