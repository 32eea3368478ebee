// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

/// What a thread of the device on the host is, and what it may ask of its warp and block (block_run.cpp). A wrong use
/// (a barrier that not all reach, a lane that has ended, an address that hardware refuses) ends the program with a
/// sentence: on a GPU it would be undefined.
namespace cuda_on_host {

struct Sizes {
  unsigned x = 1, y = 1, z = 1;
  Sizes(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

/// Where the thread at hand stands.
struct ThreadPlace {
  Sizes thread, block;
};
[[nodiscard]] const ThreadPlace& this_thread();
inline Sizes block_size, grid_size;  ///< of the kernel that runs

/// The block's shared memory of launch-time size: NaN at the start of every block.
[[nodiscard]] void* shared_memory();

void wait_for_block();
[[nodiscard]] bool any_of_block(bool mine);
void wait_for_warp();
[[nodiscard]] unsigned lanes_that_say(unsigned mask, bool mine);
/// What lane `lane` hands in, at the same call.
[[nodiscard]] std::uint64_t word_of_lane(unsigned mask, std::uint64_t mine, int lane);

template <class T>
[[nodiscard]] T value_of_lane(unsigned mask, T mine, int lane) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t word = 0;
  std::memcpy(&word, &mine, sizeof(T));
  word = word_of_lane(mask, word, lane);
  std::memcpy(&mine, &word, sizeof(T));
  return mine;
}

/// ldmatrix.x4 and mma.m16n8k16, of kernels/cuda/tensor_instructions.cuh.
void load_matrices(std::uint32_t (&to)[4], const void* row, bool transposed);
void multiply_add_bf16(float (&sum)[4], const std::uint32_t (&left)[4], std::uint32_t right_low,
                       std::uint32_t right_high);

/// Asynchronous copies into shared memory: done as late as allowed, when this thread waits for them; until then NaN
/// stands there.
void copy_later(void* to, const void* from, std::size_t size_bytes, std::size_t zeros);
void commit_copies();
void wait_for_copies(std::size_t newest);

/// cudaGridDependencySynchronize. Every thread of a dependent kernel has to.
void wait_for_earlier_kernels();

}  // namespace cuda_on_host
