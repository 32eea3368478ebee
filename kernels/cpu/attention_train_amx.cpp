// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_train_amx.h"

#include <hwy/targets.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace natscope::kernels::cpu {

namespace {

#if defined(__x86_64__) && defined(__linux__)
bool processor_has_tiles() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned avx512 = (1U << 16U) | (1U << 17U) | (1U << 30U) | (1U << 31U);  // F, DQ, BW, VL
  constexpr unsigned amx = (1U << 22U) | (1U << 24U);                                 // BF16, TILE
  if ((b & avx512) != avx512 || (d & amx) != amx) return false;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return false;
  return (a & (1U << 5U)) != 0;  // AVX512_BF16
}

/// Linux hands out the tiles' state only to processes that ask for it.
bool system_grants_tiles() {
  constexpr long request_permission = 0x1023;
  constexpr long tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#else
bool processor_has_tiles() { return false; }
bool system_grants_tiles() { return false; }
#endif

}  // namespace

bool tiles_available() {
  static const bool available = processor_has_tiles() && system_grants_tiles();
#if HWY_ARCH_X86
  return available && (hwy::SupportedTargets() & HWY_AVX3) != 0;  // so that who asks Highway for less also gets less here
#else
  return available;
#endif
}

TileForwardScratch::TileForwardScratch(const TrainShape& shape, Carver& carver)
    : order(shape, carver), keys(carver.take<Bf16Bits>(shape.padded_length * tile_dim(shape))),
      value_columns(carver.take<Bf16Bits>(shape.padded_length * tile_dim(shape))),
      rows(carver.take<Bf16Bits>(train_block * tile_dim(shape))), pairs(carver.take<Bf16Bits>(train_block * tile_dim(shape))),
      weights(carver.take<Bf16Bits>(train_block * train_block)), scores(carver.take<float>(train_block * train_block)),
      sums(carver.take<float>(train_block * tile_dim(shape))), largest(carver.take<float>(train_block)),
      total(carver.take<float>(train_block)), shrink(carver.take<float>(train_block)),
      result(carver.take<float>(train_block * tile_dim(shape))) {}

TileBackwardScratch::TileBackwardScratch(const TrainShape& shape, Carver& carver)
    : order(shape, carver), sums(shape, carver) {
  const std::int64_t numbers = shape.padded_length * tile_dim(shape);
  for (Bf16Bits** const array : {&keys, &values, &key_columns, &query_pairs, &d_out_pairs, &query_rows, &d_out_rows}) {
    *array = carver.take<Bf16Bits>(numbers);
  }
  for (float** const array : {&dk, &dv, &dq_columns}) *array = carver.take<float>(numbers);
  for (float** const array : {&lse_log2, &delta}) *array = carver.take<float>(shape.padded_length);
  for (Bf16Bits** const array : {&weights, &d_scores, &d_score_pairs}) *array = carver.take<Bf16Bits>(train_block * train_block);
  for (float** const array : {&scores, &dp}) *array = carver.take<float>(train_block * train_block / 2);
  rows = carver.take<Bf16Bits>(train_block * tile_dim(shape));
  result = carver.take<float>(train_block * tile_dim(shape));
  row = carver.take<float>(2 * train_block);
  running = carver.take<float>(train_block * 16);
}

}  // namespace natscope::kernels::cpu
