// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// Marks index arithmetic that kernels and the CPU tests that hold it to `ref` share.
#ifdef __CUDACC__
#define NATSCOPE_HD __host__ __device__
#else
#define NATSCOPE_HD
#endif

/// In front of a loop whose registers have to be known by number, or whose loads should overlap; g++ unrolls as it
/// likes.
#ifdef __CUDA_ARCH__
#define NATSCOPE_PRAGMA(text) _Pragma(#text)
#define NATSCOPE_UNROLL _Pragma("unroll")
#define NATSCOPE_UNROLL_BY(count) NATSCOPE_PRAGMA(unroll count)
#else
#define NATSCOPE_UNROLL
#define NATSCOPE_UNROLL_BY(count)
#endif
