// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/tiles.h"

#include <hwy/targets.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace natscope::kernels::cpu {

namespace {

struct Features {
  bool pairs = false;  ///< AVX-512 with products of bf16 pairs
  bool tiles = false;  ///< AMX, and the system's leave to use it
};

#if defined(__x86_64__) && defined(__linux__)
/// Linux hands out the tiles' state only to processes that ask for it.
bool system_grants_tiles() {
  constexpr long request_permission = 0x1023;
  constexpr long tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

Features find_features() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return {};
  constexpr unsigned avx512 = (1U << 16U) | (1U << 17U) | (1U << 30U) | (1U << 31U);  // F, DQ, BW, VL
  constexpr unsigned amx = (1U << 22U) | (1U << 24U);                                 // BF16, TILE
  const bool has_amx = (d & amx) == amx;
  if ((b & avx512) != avx512 || __get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return {};
  const bool has_pairs = (a & (1U << 5U)) != 0;  // AVX512_BF16
  return {has_pairs, has_pairs && has_amx && system_grants_tiles()};
}
#else
Features find_features() { return {}; }
#endif

const Features& features() {
  static const Features found = find_features();
  return found;
}

}  // namespace

bool tiles_available() {
#if HWY_ARCH_X86
  return features().pairs &&
         (hwy::SupportedTargets() & HWY_AVX3) != 0;  // who asks Highway for less also gets less here
#else
  return false;
#endif
}

bool tiles_in_hardware() { return features().tiles; }

}  // namespace natscope::kernels::cpu
