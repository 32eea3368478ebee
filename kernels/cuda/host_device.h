// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// Marks index arithmetic that kernels and the CPU tests that hold it to `ref` share.
#ifdef __CUDACC__
#define NATSCOPE_HD __host__ __device__
#else
#define NATSCOPE_HD
#endif
