// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <hwy/aligned_allocator.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cpu/attention_train.h"
#include "kernels/cpu/scratch.h"

/// Memory and key order of the training attention on the CPU, shared by its forward and backward pass.
namespace natscope::kernels::cpu {

/// Queries and keys of one block. A block of scores, its gradient and what they are made of fit the nearest caches.
inline constexpr std::int64_t train_block = 64;

/// Sizes of one (batch item, KV head). `padded` ones are whole blocks, whole vectors; what is past the end is zero.
struct TrainShape {
  explicit TrainShape(const AttentionTrainInputs& inputs)
      : length(inputs.q.size(2)),
        padded_length(round_up(length, train_block)),
        head_dim(inputs.q.size(3)),
        padded_dim(round_up(head_dim, 16)),
        group(inputs.q.size(1) / inputs.k.size(1)) {}

  [[nodiscard]] std::int64_t blocks() const { return padded_length / train_block; }

  std::int64_t length;
  std::int64_t padded_length;
  std::int64_t head_dim;
  std::int64_t padded_dim;
  std::int64_t group;  ///< query heads of a KV head
};

/// One block of memory a thread, all of them allocated before any output is touched.
template <class Scratch>
class ThreadScratch {
 public:
  ThreadScratch(const TrainShape& shape, int threads) {
    Carver measure;
    Scratch(shape, measure);
    for (int thread = 0; thread < threads; ++thread) memory_.push_back(hwy::AllocateAligned<std::byte>(measure.used()));
  }
  [[nodiscard]] bool allocated() const {
    for (const auto& block : memory_) {
      if (block == nullptr) return false;
    }
    return true;
  }
  [[nodiscard]] Scratch of_thread(const TrainShape& shape, int thread) const {
    Carver carver(memory_[static_cast<std::size_t>(thread)].get());
    return Scratch(shape, carver);
  }

 private:
  std::vector<hwy::AlignedFreeUniquePtr<std::byte[]>> memory_;
};

/// The keys of one KV head, in each block those first that are seen longest: then the keys that a later block of
/// queries still sees are the first few of the block, and the rest is never touched. Every array is [padded_length], by
/// place.
struct KeyOrder {
  KeyOrder(const TrainShape& shape, Carver& carver);

  /// Fills everything for the roles of one KV head.
  void build(const AttentionTrainInputs& inputs, std::int64_t batch, std::int64_t kv_head, const TrainShape& shape);

  /// How many of the block's keys (its first ones) the query at `query` or a later one sees.
  [[nodiscard]] std::int64_t seen_from(std::int64_t block, std::int64_t query) const;

  std::int32_t* position;    ///< of the key; padded_length where there is none, past every query
  std::int32_t* last;        ///< last query that sees it; −1 where there is no key
  std::int32_t* next_end;    ///< next_global(n), at most T−1: the last query of da_L
  std::int32_t* window_end;  ///< n + W, at most T−1: the last query of da_S
  std::int32_t* second_end;  ///< for a local that a global g ends: next_global(g), at most T−1; otherwise next_end
  std::int32_t* next;        ///< next_global(n), by position
};

/// Sums of dM along a key's column, over all query heads of a KV head. By place, [padded_length] each.
struct RoleSums {
  RoleSums(const TrainShape& shape, Carver& carver);

  void clear(const TrainShape& shape) const;

  /// Fills d_roles of one KV head: da_G, da_L, da_S (equations 24 – 26) with the regulariser (22, 23).
  void write(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients, std::int64_t batch,
             std::int64_t kv_head, const TrainShape& shape, const KeyOrder& order) const;

  double* total;      ///< over all later queries
  double* to_next;    ///< up to KeyOrder::next_end
  double* to_window;  ///< up to KeyOrder::window_end
  double* to_second;  ///< up to KeyOrder::second_end
  double* cut;        ///< by position: what the locals that a global ends would have reached past it
};

}  // namespace natscope::kernels::cpu
