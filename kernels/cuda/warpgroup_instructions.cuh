// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

/// Products by a warpgroup, four warps whose 128 threads call these functions together: operands are read from shared
/// memory by the tensor cores themselves, at twice the rate of a warp's own instructions. Only sm_90a has them.
/// Source: PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions".
///
/// A matrix in shared memory has panels of 64 columns of bf16: a row of a panel is 128 bytes, rows follow each other,
/// and of each row the eight 16-byte pieces are exchanged by piece ^ (row mod 8), so that eight rows' pieces fall into
/// different banks ("128-byte swizzle"). A panel begins at a multiple of 1024 bytes.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define NATSCOPE_HAS_WARPGROUPS 1
#else
#define NATSCOPE_HAS_WARPGROUPS 0
#endif

namespace natscope::kernels::cuda {

inline constexpr int panel_columns = 64;

#if NATSCOPE_HAS_WARPGROUPS

/// What the instruction is told of a matrix that begins at `first`: eight rows are 1024 bytes, and where the panels are
/// what is multiplied out (not summed over), the next one is `panel_bytes` away.
__device__ inline std::uint64_t matrix_descriptor(const void* first, int panel_bytes) {
  const auto address = static_cast<std::uint64_t>(__cvta_generic_to_shared(first));
  constexpr std::uint64_t eight_rows = 1024 >> 4;
  constexpr std::uint64_t swizzle_128 = 1;
  return ((address & 0x3ffffU) >> 4U) | static_cast<std::uint64_t>(panel_bytes >> 4) << 16U | eight_rows << 32U |
         swizzle_128 << 62U;
}

/// The descriptor of what begins so many bytes, a multiple of 16, behind.
__device__ inline std::uint64_t moved(std::uint64_t descriptor, int bytes) {
  return descriptor + static_cast<std::uint64_t>(bytes / 16);
}

/// What this thread wrote to shared memory, cp.async included once it has been waited for, is there for the tensor
/// cores; a barrier behind it makes that so for what the other threads wrote.
__device__ inline void show_to_tensor_cores() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// The compiler neither keeps these registers elsewhere nor moves what is done with them past this place.
template <int count>
__device__ inline void pin(float (&sums)[count][4]) {
#pragma unroll
  for (int tile = 0; tile < count; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) asm volatile("" : "+f"(sums[tile][i])::"memory");
  }
}

/// Between these two stand multiplications into all of `sums`; they run on their own until the end waits for them.
template <class... Sums>
__device__ inline void begin_products(Sums&... sums) {
  (pin(sums), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
template <class... Sums>
__device__ inline void end_products(Sums&... sums) {
  asm volatile("wgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 0;" ::: "memory");
  (pin(sums), ...);
}

#define NATSCOPE_SUMS_OF(t) "+f"(sums[t][0]), "+f"(sums[t][1]), "+f"(sums[t][2]), "+f"(sums[t][3])
#define NATSCOPE_SUMS_OF_8(t)                                                                     \
  NATSCOPE_SUMS_OF(t), NATSCOPE_SUMS_OF(t + 1), NATSCOPE_SUMS_OF(t + 2), NATSCOPE_SUMS_OF(t + 3), \
      NATSCOPE_SUMS_OF(t + 4), NATSCOPE_SUMS_OF(t + 5), NATSCOPE_SUMS_OF(t + 6), NATSCOPE_SUMS_OF(t + 7)
#define NATSCOPE_32_REGISTERS                                                                            \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
  "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31"

/// sums [64, 64] (+)= left [64, 16] · right [64, 16]ᵀ; both are rows of 16 columns of a panel. A thread's sums are
/// those of mma.m16n8k16 (tile_products.h), its warp's rows 16 · warp … 16 · warp + 15.
__device__ inline void multiply_rows(float (&sums)[8][4], std::uint64_t left, std::uint64_t right, bool add) {
  asm volatile(
      "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %34, 0;\n\t"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" NATSCOPE_32_REGISTERS "}, %32, %33, p, 1, 1, 0, 0;\n\t}"
      : NATSCOPE_SUMS_OF_8(0)
      : "l"(left), "l"(right), "r"(static_cast<int>(add))
      : "memory");
}

/// sums [64, 64 or 128] += left [64, 16] · right [16, …]: the left one's rows as the warps hold them (mma.m16n8k16's
/// left operand), the right one 16 rows of one panel or of two.
__device__ inline void multiply_held(float (&sums)[8][4], const std::uint32_t (&left)[4], std::uint64_t right) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" NATSCOPE_32_REGISTERS
               "}, {%32, %33, %34, %35}, %36, 1, 1, 1, 1;"
               : NATSCOPE_SUMS_OF_8(0)
               : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right)
               : "memory");
}
__device__ inline void multiply_held(float (&sums)[16][4], const std::uint32_t (&left)[4], std::uint64_t right) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" NATSCOPE_32_REGISTERS
               ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, "
               "%52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, {%64, %65, %66, %67}, %68, 1, 1, 1, 1;"
               : NATSCOPE_SUMS_OF_8(0), NATSCOPE_SUMS_OF_8(8)
               : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right)
               : "memory");
}

#undef NATSCOPE_32_REGISTERS
#undef NATSCOPE_SUMS_OF_8
#undef NATSCOPE_SUMS_OF

#endif

}  // namespace natscope::kernels::cuda
