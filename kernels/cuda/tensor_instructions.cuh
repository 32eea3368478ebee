// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

/// The instructions that C++ has no name for, one function each: a warp's, called by all of its lanes together. Where
/// no CUDA is (tests/cuda_on_host), they are computed as the manual says. Source: PTX ISA, "ldmatrix", "mma.m16n8k16".
/// Those of a warpgroup (four warps), which only sm_90a has, stand in warpgroup_instructions.cuh.
namespace natscope::kernels::cuda {

#ifdef __CUDACC__

/// Four 8 × 8 matrices of 16-bit numbers; lane 8·i + r names row r of matrix i, 16 bytes of shared memory. Lane l gets
/// columns 2·(l mod 4) and the next one of row l / 4.
__device__ inline void load_matrices(std::uint32_t (&to)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}

/// The same of the transposed matrices: rows 2·(l mod 4) and the next one of column l / 4.
__device__ inline void load_matrices_transposed(std::uint32_t (&to)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}

/// sum [16, 8] += left [16, 16] · right [16, 8], bf16 with f32 sums.
__device__ inline void multiply_add_bf16(float (&sum)[4], const std::uint32_t (&left)[4], std::uint32_t right_low,
                                         std::uint32_t right_high) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
      "%2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_low), "r"(right_high));
}

#else

inline void load_matrices(std::uint32_t (&to)[4], const void* row) { cuda_on_host::load_matrices(to, row, false); }
inline void load_matrices_transposed(std::uint32_t (&to)[4], const void* row) {
  cuda_on_host::load_matrices(to, row, true);
}
inline void multiply_add_bf16(float (&sum)[4], const std::uint32_t (&left)[4], std::uint32_t right_low,
                              std::uint32_t right_high) {
  cuda_on_host::multiply_add_bf16(sum, left, right_low, right_high);
}

#endif

}  // namespace natscope::kernels::cuda
