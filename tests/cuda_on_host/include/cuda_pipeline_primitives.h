// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// Asynchronous copies as CUDA names them, for tests/cuda_on_host.

#include <cstddef>

#include "tests/cuda_on_host/device_thread.h"

inline void __pipeline_memcpy_async(void* to, const void* from, std::size_t size_bytes, std::size_t zeros = 0) {
  cuda_on_host::copy_later(to, from, size_bytes, zeros);
}
inline void __pipeline_commit() { cuda_on_host::commit_copies(); }
inline void __pipeline_wait_prior(std::size_t newest) { cuda_on_host::wait_for_copies(newest); }
