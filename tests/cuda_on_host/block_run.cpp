// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/cuda_on_host/block_run.h"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace cuda_on_host {

namespace {

constexpr unsigned warp_size = 32;
constexpr std::size_t stack_bytes = 256 * 1024;
constexpr std::byte nan_byte{0xff};
constexpr std::byte guard_byte{0xa5};
constexpr std::size_t guard_bytes = 4096;

enum class Wait : std::uint8_t { no, warp, block, ended };
/// What a waiting thread called: all of them have to have called the same.
enum class Call : std::uint8_t {
  none,
  barrier,
  barrier_or,
  warp_barrier,
  ballot,
  shuffle,
  load_matrices,
  multiply_add
};

struct Copy {
  void* to;
  const void* from;
  std::size_t size_bytes, zeros;
};

struct Thread {
  ThreadPlace place;
  Wait wait = Wait::no;
  Call call = Call::none;
  bool waited_for_earlier = false;
  unsigned exchanges = 0;
  std::vector<Copy> copies;
  std::vector<std::size_t> group_ends;  ///< committed groups, by the copy behind their last one
  std::size_t groups_done = 0;
  boost::context::fiber inside, outside;
};

/// What a lane hands to the others; two sets, since the fastest may be one call ahead.
struct Exchange {
  std::array<std::array<std::uint64_t, 3>, warp_size> words[2];
};

struct Block {
  const KernelRun* run = nullptr;
  std::vector<std::unique_ptr<Thread>> threads;  // as many as any block had
  std::vector<Exchange> warps;
  bool any = false, any_said = false;
  unsigned count = 0;
  alignas(1024) std::byte shared[usual_shared_bytes + guard_bytes];
};

Block& block() {
  static auto* const only = new Block;  // fibers are never unwound
  return *only;
}
Thread* current = nullptr;

void pause(Wait wait, Call call) {
  current->wait = wait;
  current->call = call;
  current->outside = std::move(current->outside).resume();
}

unsigned own_lane() { return current->place.thread.x % warp_size; }
unsigned own_warp() { return current->place.thread.x / warp_size; }

/// Hands in `words` and waits for the warp; what all lanes of it handed in.
const std::array<std::array<std::uint64_t, 3>, warp_size>& exchange(Call call, std::array<std::uint64_t, 3> words) {
  auto& all = block().warps[own_warp()].words[current->exchanges++ % 2];
  all[own_lane()] = words;
  pause(Wait::warp, call);
  return all;
}

std::unique_ptr<Thread> new_thread() {
  auto made = std::make_unique<Thread>();
  Thread* const thread = made.get();
  thread->inside = boost::context::fiber(std::allocator_arg, boost::context::protected_fixedsize_stack(stack_bytes),
                                         [thread](boost::context::fiber&& outside) {
                                           thread->outside = std::move(outside);
                                           for (;;) {
                                             block().run->body();
                                             pause(Wait::ended, Call::none);
                                           }
                                           return boost::context::fiber();
                                         });
  return made;
}

void resume(Thread& thread) {
  current = &thread;
  thread.inside = std::move(thread.inside).resume();
}

/// The threads of a warp, in the order in which they run.
struct WarpOrder {
  unsigned index = 0;
  std::vector<Thread*> lanes;
};

[[nodiscard]] bool all_wait(const std::vector<Thread*>& threads, Wait wait) {
  bool any = false;
  for (const Thread* thread : threads) {
    if (thread->wait == Wait::ended) continue;
    if (thread->wait != wait) return false;
    any = true;
  }
  return any;
}

void let_go(const std::vector<Thread*>& threads) {
  Call call = Call::none;
  bool ended = false;
  for (Thread* thread : threads) {
    if (thread->wait == Wait::ended) {
      ended = true;
      continue;
    }
    if (call != Call::none && thread->call != call) refuse("threads wait together that called different things");
    call = thread->call;
    thread->wait = Wait::no;
  }
  const bool names_all = call != Call::barrier && call != Call::barrier_or && call != Call::warp_barrier;
  if (ended && names_all) refuse("a lane that has ended is named in the mask of a warp's call");
}

/// Every thread as far as it goes alone. False when nobody could go on.
bool run_warp(const WarpOrder& warp, bool until_barrier) {
  bool moved = false;
  do {
    bool ran = false;
    for (Thread* thread : warp.lanes) {
      if (thread->wait != Wait::no) continue;
      resume(*thread);
      ran = true;
    }
    if (!all_wait(warp.lanes, Wait::warp)) return moved || ran;
    let_go(warp.lanes);
    moved = true;
  } while (until_barrier);
  return moved;
}

void end_block(const KernelRun& run) {
  const std::byte* const end = block().shared + run.shared_bytes;
  if (!std::all_of(end, end + guard_bytes, [](std::byte byte) { return byte == guard_byte; }))
    refuse("shared memory was written behind its end");
  for (unsigned i = 0; i < block().count; ++i) {
    if (run.dependent && !block().threads[i]->waited_for_earlier)
      refuse("a thread of a dependent kernel ended without having waited for the kernels before");
  }
}

void begin_block(const KernelRun& run, const Sizes& at) {
  Block& all = block();
  all.run = &run;
  all.count = run.block.x;
  all.any = all.any_said = false;
  std::fill_n(all.shared, run.shared_bytes, nan_byte);
  std::fill_n(all.shared + run.shared_bytes, guard_bytes, guard_byte);
  while (all.threads.size() < all.count) all.threads.push_back(new_thread());
  all.warps.resize((all.count + warp_size - 1) / warp_size);
  for (unsigned i = 0; i < all.count; ++i) {
    Thread& thread = *all.threads[i];
    thread.place = {{i, 0, 0}, at};
    thread.wait = Wait::no;
    thread.waited_for_earlier = false;
    thread.exchanges = 0;
    thread.copies.clear();
    thread.group_ends.clear();
    thread.groups_done = 0;
  }
}

void run_block(const KernelRun& run, const Sizes& at, std::mt19937_64& random) {
  begin_block(run, at);
  Block& all = block();
  std::vector<WarpOrder> warps(all.warps.size());
  std::vector<Thread*> everybody;
  for (unsigned i = 0; i < all.count; ++i) {
    everybody.push_back(all.threads[i].get());
    warps[i / warp_size].lanes.push_back(everybody.back());
  }
  for (WarpOrder& warp : warps) std::shuffle(warp.lanes.begin(), warp.lanes.end(), random);
  for (;;) {
    std::shuffle(warps.begin(), warps.end(), random);
    const bool until_barrier = random() % 2 == 0;
    bool moved = false;
    for (const WarpOrder& warp : warps) moved = run_warp(warp, until_barrier) || moved;
    if (all_wait(everybody, Wait::block)) {
      let_go(everybody);
      all.any_said = std::exchange(all.any, false);
    } else if (std::all_of(everybody.begin(), everybody.end(), [](auto* t) { return t->wait == Wait::ended; })) {
      break;
    } else if (!moved) {
      refuse("threads of a block wait for different things, for ever");
    }
  }
  end_block(run);
}

}  // namespace

void refuse(const char* what) {
  const ThreadPlace place = current != nullptr ? current->place : ThreadPlace{};
  std::fprintf(stderr, "CUDA on the host: %s (about block %u,%u,%u, thread %u)\n", what, place.block.x, place.block.y,
               place.block.z, place.thread.x);
  std::abort();
}

void run_kernel(const KernelRun& run) {
  block_size = run.block;
  grid_size = run.grid;
  std::mt19937_64 random(run.seed);
  const std::uint64_t plane = std::uint64_t{run.grid.x} * run.grid.y;
  std::vector<std::uint64_t> order(plane * run.grid.z);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  for (const std::uint64_t index : order) {
    const Sizes at(static_cast<unsigned>(index % run.grid.x), static_cast<unsigned>(index % plane / run.grid.x),
                   static_cast<unsigned>(index / plane));
    run_block(run, at, random);
  }
  current = nullptr;
}

const ThreadPlace& this_thread() { return current->place; }
void* shared_memory() { return block().shared; }

void wait_for_block() { pause(Wait::block, Call::barrier); }
bool any_of_block(bool mine) {
  block().any = block().any || mine;
  pause(Wait::block, Call::barrier_or);
  return block().any_said;
}
void wait_for_warp() { pause(Wait::warp, Call::warp_barrier); }

unsigned lanes_that_say(unsigned mask, bool mine) {
  if (mask != ~0U) refuse("a mask that names some lanes only: not needed so far");
  const auto& all = exchange(Call::ballot, {mine ? 1U : 0U});
  unsigned said = 0;
  for (unsigned lane = 0; lane < warp_size; ++lane) said |= static_cast<unsigned>(all[lane][0]) << lane;
  return said;
}

std::uint64_t word_of_lane(unsigned mask, std::uint64_t mine, int lane) {
  if (mask != ~0U) refuse("a mask that names some lanes only: not needed so far");
  if (lane < 0 || lane >= static_cast<int>(warp_size)) refuse("a shuffle from a lane that is none");
  return exchange(Call::shuffle, {mine})[static_cast<unsigned>(lane)][0];
}

void load_matrices(std::uint32_t (&to)[4], const void* row, bool transposed) {
  const auto* const bytes = static_cast<const std::byte*>(row);
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) refuse("ldmatrix: a row that is not aligned to 16 bytes");
  if (bytes < block().shared || bytes + 16 > block().shared + block().run->shared_bytes)
    refuse("ldmatrix: a row outside of the block's shared memory");
  std::array<std::uint64_t, 3> words{};
  std::memcpy(words.data(), row, 16);
  const auto& all = exchange(Call::load_matrices, words);
  const auto number = [&](unsigned matrix, unsigned r, unsigned column) {
    return static_cast<std::uint32_t>(all[8 * matrix + r][column / 4] >> (16 * (column % 4)) & 0xffffU);
  };
  const unsigned own = own_lane() / 4;
  const unsigned pair = own_lane() % 4 * 2;
  for (unsigned matrix = 0; matrix < 4; ++matrix) {
    const std::uint32_t low = transposed ? number(matrix, pair, own) : number(matrix, own, pair);
    const std::uint32_t high = transposed ? number(matrix, pair + 1, own) : number(matrix, own, pair + 1);
    to[matrix] = low | high << 16U;
  }
}

void multiply_add_bf16(float (&sum)[4], const std::uint32_t (&left)[4], std::uint32_t right_low,
                       std::uint32_t right_high) {
  const auto two = [](std::uint32_t low, std::uint32_t high) { return std::uint64_t{high} << 32U | low; };
  const auto& all =
      exchange(Call::multiply_add, {two(left[0], left[1]), two(left[2], left[3]), two(right_low, right_high)});
  // Registers of two neighbours in k each. PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type".
  const auto half_of = [](std::uint64_t words, unsigned word, unsigned k) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(words >> (32 * word + 16 * (k % 2))) << 16U);
  };
  const auto left_at = [&](unsigned r, unsigned k) { return half_of(all[r % 8 * 4 + k % 8 / 2][k / 8], r / 8, k); };
  const auto right_at = [&](unsigned k, unsigned column) { return half_of(all[column * 4 + k % 8 / 2][2], k / 8, k); };
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned r = own_lane() / 4 + i / 2 * 8;
    const unsigned column = own_lane() % 4 * 2 + i % 2;
    float total = 0;
    for (unsigned k = 0; k < 16; ++k) total += left_at(r, k) * right_at(k, column);
    sum[i] += total;
  }
}

void copy_later(void* to, const void* from, std::size_t size_bytes, std::size_t zeros) {
  if ((size_bytes != 4 && size_bytes != 8 && size_bytes != 16) || zeros > size_bytes)
    refuse("an asynchronous copy of neither 4, 8 nor 16 bytes");
  if (reinterpret_cast<std::uintptr_t>(to) % size_bytes != 0 ||
      reinterpret_cast<std::uintptr_t>(from) % size_bytes != 0)
    refuse("an asynchronous copy that is not aligned to its size");
  auto* const bytes = static_cast<std::byte*>(to);
  if (bytes < block().shared || bytes + size_bytes > block().shared + block().run->shared_bytes)
    refuse("an asynchronous copy to outside of the block's shared memory");
  std::fill_n(bytes, size_bytes, nan_byte);
  current->copies.push_back({to, from, size_bytes, zeros});
}

void commit_copies() { current->group_ends.push_back(current->copies.size()); }

void wait_for_copies(std::size_t newest) {
  Thread& thread = *current;
  const std::size_t groups = thread.group_ends.size();
  for (; thread.groups_done + newest < groups; ++thread.groups_done) {
    const std::size_t begin = thread.groups_done == 0 ? 0 : thread.group_ends[thread.groups_done - 1];
    for (std::size_t i = begin; i < thread.group_ends[thread.groups_done]; ++i) {
      const Copy& copy = thread.copies[i];
      const std::size_t there = copy.size_bytes - copy.zeros;
      if (there > 0) std::memcpy(copy.to, copy.from, there);
      std::memset(static_cast<std::byte*>(copy.to) + there, 0, copy.zeros);
    }
  }
  if (thread.groups_done == groups && !thread.group_ends.empty() && thread.group_ends.back() == thread.copies.size()) {
    thread.copies.clear();
    thread.group_ends.clear();
    thread.groups_done = 0;
  }
}

void wait_for_earlier_kernels() { current->waited_for_earlier = true; }

}  // namespace cuda_on_host
