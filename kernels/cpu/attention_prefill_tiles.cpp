// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_prefill_tiles.h"

#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>

#include "kernels/cpu/scratch.h"
#include "kernels/cpu/tile_product-inl.h"

namespace natscope::kernels::cpu {

namespace {

constexpr float unseen = -1e30F;  // a score that no weight comes from
constexpr float lowest = -1e29F;  // a maximum that makes nothing of it

constexpr std::int64_t whole_tiles(std::int64_t head_dim) { return (head_dim + 31) / 32 * 32; }

/// One block's numbers while the keys pass by.
struct TileBlock {
  Bf16Bits* pairs;  // [width / 2, query_block, 2] queries, two dimensions side by side
  float* sums;      // [width, query_block]
  float* largest;   // [query_block], before the scale
  float* total;     // [query_block]
};

/// What the blocks of a task share: the keys at hand, and one block's scores.
struct TileKeys {
  Bf16Bits* keys;           // [key_block, width]
  Bf16Bits* value_columns;  // [width, key_block]
  Bf16Bits* rows;           // [key_block, width] on their way to another layout
  float* words;             // [width / 2, key_block] likewise
  float* scores;            // [key_block, query_block]
  Bf16Bits* weights;        // [key_block / 2, query_block, 2]
  float* result;            // [query_block, width]
};

/// What a task works in, in PrefillTask::scratch.
struct TileScratch {
  TileScratch(std::int64_t head_dim, std::int64_t block_count, Carver& carver) {
    const std::int64_t width = whole_tiles(head_dim);
    keys.keys = carver.take<Bf16Bits>(key_block * width);
    keys.value_columns = carver.take<Bf16Bits>(key_block * width);
    keys.rows = carver.take<Bf16Bits>(key_block * width);
    keys.words = carver.take<float>(key_block * width / 2);
    keys.scores = carver.take<float>(key_block * query_block);
    keys.weights = carver.take<Bf16Bits>(key_block * query_block);
    keys.result = carver.take<float>(query_block * width);
    for (TileBlock& block : std::span(blocks).first(static_cast<std::size_t>(block_count))) {
      block.pairs = carver.take<Bf16Bits>(width * query_block);
      block.sums = carver.take<float>(width * query_block);
      block.largest = carver.take<float>(query_block);
      block.total = carver.take<float>(query_block);
    }
  }

  TileKeys keys{};
  std::array<TileBlock, most_prefill_blocks> blocks{};
};

}  // namespace

HWY_PUSH_ATTRIBUTES(NATSCOPE_TILE_TARGET)

namespace {

inline void pack_row(const void* row, bool is_f32, std::int64_t head_dim, std::int64_t width, Bf16Bits* to) {
  if (is_f32) {
    tile_pack_row(static_cast<const float*>(row), head_dim, width, to);
  } else {
    std::memcpy(to, row, static_cast<std::size_t>(head_dim) * sizeof(Bf16Bits));
    std::fill(to + head_dim, to + width, Bf16Bits{0});
  }
}

/// rows [key_block, width] to [width, key_block]: words of two dimensions first, then their halves.
inline void value_columns_of(const TileKeys& at, std::int64_t width) {
  transpose_words(reinterpret_cast<const float*>(at.rows), width / 2, key_block, width / 2, at.words, key_block);
  for (std::int64_t i = 0; i < width; i += 2) {
    for (std::int64_t r = 0; r < key_block; r += 16) {
      const __m512i words = _mm512_loadu_si512(at.words + i / 2 * key_block + r);
      Bf16Bits* const to = at.value_columns + i * key_block + r;
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(words));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + key_block),
                          _mm512_cvtepi32_epi16(_mm512_srli_epi32(words, 16)));
    }
  }
}

/// Places from … to of the key block that begins at `start`, zeros elsewhere: what is not seen gets the weight 0, and 0
/// times whatever stood there before might be NaN.
inline void take_keys(const PrefillTask& task, std::int64_t start, std::int64_t from, std::int64_t to,
                      const TileKeys& at) {
  const std::int64_t width = whole_tiles(task.head_dim);
  for (std::int64_t r = 0; r < key_block; ++r) {
    const std::int64_t place = start + r;
    if (place < from || place >= to) {
      std::fill_n(at.keys + r * width, width, Bf16Bits{0});
      std::fill_n(at.rows + r * width, width, Bf16Bits{0});
      continue;
    }
    const PrefillKey& key = (*task.keys)[place];
    pack_row(key.key, key.in_chunk, task.head_dim, width, at.keys + r * width);
    pack_row(key.value, key.in_chunk, task.head_dim, width, at.rows + r * width);
  }
  value_columns_of(at, width);
}

inline void begin_block(const PrefillBlock& block, std::int64_t head_dim, const TileKeys& at, const TileBlock& state) {
  const std::int64_t width = whole_tiles(head_dim);
  for (std::int64_t q = 0; q < query_block; ++q) {
    if (q < block.rows) {
      tile_pack_row(block.queries + q * block.query_stride, head_dim, width, at.rows + q * width);
    } else {
      std::fill_n(at.rows + q * width, width, Bf16Bits{0});
    }
  }
  transpose_words(reinterpret_cast<const float*>(at.rows), width / 2, query_block, width / 2,
                  reinterpret_cast<float*>(state.pairs), query_block);
  std::fill_n(state.sums, width * query_block, 0.0F);
  std::fill_n(state.largest, query_block, unseen);
  std::fill_n(state.total, query_block, 0.0F);
}

inline void end_block(const PrefillBlock& block, std::int64_t head_dim, const TileKeys& at, const TileBlock& state) {
  const std::int64_t width = whole_tiles(head_dim);
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
  transpose_words(state.sums, query_block, width, query_block, at.result, width);
  for (std::int64_t q = 0; q < block.rows; ++q) {
    const float inverse = 1.0F / state.total[q];
    float* const out = block.out + q * block.out_stride;
    for (std::int64_t i = 0; i < head_dim; ++i) out[i] = at.result[q * width + i] * inverse;
    block.lse[q * block.lse_stride] = state.largest[q] * scale + std::log(state.total[q]);
  }
}

/// Scores that do not count become `unseen`: rows outside begin … end, and queries outside the key's span where
/// `masked`.
inline void hide_unseen(const PrefillTask& task, const PrefillBlock& block, std::int64_t start, std::int64_t begin,
                        std::int64_t end, std::int64_t first_row, std::int64_t end_row, bool masked, float* scores) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (std::int64_t r = first_row; r < end_row; ++r) {
    const std::int64_t place = start + r;
    float* const row = scores + r * query_block;
    if (place < begin || place >= end) {
      std::fill_n(row, query_block, unseen);
    } else if (masked) {
      const PrefillKey& key = (*task.keys)[place];
      for (std::int64_t j = 0; j < query_block; j += 16) {
        const __m512i query = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(block.first + j)));
        const __mmask16 visible = _mm512_cmple_epi32_mask(_mm512_set1_epi32(key.position), query) &
                                  _mm512_cmple_epi32_mask(query, _mm512_set1_epi32(key.last));
        _mm512_store_ps(row + j, _mm512_mask_loadu_ps(_mm512_set1_ps(unseen), visible, row + j));
      }
    }
  }
}

/// Scores of rows first_row … end_row to weights in pairs of keys; what was summed before shrinks to a new maximum.
inline void weigh(std::int64_t first_row, std::int64_t end_row, std::int64_t width, float scale_log2,
                  const TileKeys& at, const TileBlock& state) {
  const __m512 scale = _mm512_set1_ps(scale_log2);
  for (std::int64_t j = 0; j < query_block; j += 16) {
    const __m512 before = _mm512_load_ps(state.largest + j);
    __m512 largest = before;
    for (std::int64_t r = first_row; r < end_row; ++r) {
      largest = _mm512_max_ps(largest, _mm512_load_ps(at.scores + r * query_block + j));
    }
    const __m512 offset = _mm512_mul_ps(_mm512_max_ps(largest, _mm512_set1_ps(lowest)), scale);
    __m512 total = _mm512_load_ps(state.total + j);
    if (_mm512_cmp_ps_mask(before, largest, _CMP_LT_OQ) != 0) {
      const __m512 shrink = tile_exp2(_mm512_fmsub_ps(before, scale, offset));
      total = _mm512_mul_ps(total, shrink);
      for (std::int64_t i = 0; i < width; ++i) {
        float* const sum = state.sums + i * query_block + j;
        _mm512_store_ps(sum, _mm512_mul_ps(_mm512_load_ps(sum), shrink));
      }
      _mm512_store_ps(state.largest + j, largest);
    }
    for (std::int64_t r = first_row; r < end_row; r += 2) {
      const float* const score = at.scores + r * query_block + j;
      const __m512 w0 = tile_exp2(_mm512_fmsub_ps(_mm512_load_ps(score), scale, offset));
      const __m512 w1 = tile_exp2(_mm512_fmsub_ps(_mm512_load_ps(score + query_block), scale, offset));
      total = _mm512_add_ps(total, _mm512_add_ps(w0, w1));
      _mm512_store_si512(at.weights + r * query_block + 2 * j, tile_interleave(tile_round(w0, w1)));
    }
    _mm512_store_ps(state.total + j, total);
  }
}

/// One block of queries over the places begin … end of the key block that begins at `start`.
inline void attend_block(const PrefillTask& task, const PrefillBlock& block, const PrefillRange& range,
                         std::int64_t start, std::int64_t begin, std::int64_t end, const TileKeys& at,
                         const TileBlock& state) {
  const std::int64_t width = whole_tiles(task.head_dim);
  const auto scale_log2 = static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(task.head_dim)));
  // A tile of weights is 32 keys deep.
  const std::int64_t first_row = (begin - start) / 32 * 32;
  const std::int64_t end_row = (end - start + 31) / 32 * 32;
  tile_product<false>(at.keys + first_row * width, width * 2, state.pairs, query_block * 4, width / 32,
                      at.scores + first_row * query_block, query_block * 4, (end_row - first_row) / 16,
                      query_block / 16);
  const bool masked = begin < range.full_begin || end > range.full_end;
  if (masked || begin > start + first_row || end < start + end_row) {
    hide_unseen(task, block, start, begin, end, first_row, end_row, masked, at.scores);
  }
  weigh(first_row, end_row, width, scale_log2, at, state);
  tile_product<true>(at.value_columns + first_row, key_block * 2, at.weights + first_row * query_block, query_block * 4,
                     (end_row - first_row) / 32, state.sums, query_block * 4, width / 16, query_block / 16);
}

}  // namespace

std::int64_t tile_prefill_scratch_bytes(std::int64_t head_dim, std::int64_t blocks) {
  Carver measure;
  TileScratch(head_dim, blocks, measure);
  return static_cast<std::int64_t>(measure.used());
}

void tile_prefill_task(const PrefillTask& task) {
  const TileSession session;
  Carver carver(task.scratch);
  const TileScratch scratch(task.head_dim, task.block_count, carver);
  const TileKeys& at = scratch.keys;
  const auto& states = scratch.blocks;
  for (std::int64_t index = 0; index < task.block_count; ++index) {
    begin_block(task.blocks[static_cast<std::size_t>(index)], task.head_dim, at,
                states[static_cast<std::size_t>(index)]);
  }

  for (std::size_t role = 0; role < role_count; ++role) {
    const PrefillRange all = any_block_range(task, role);
    for (std::int64_t start = all.begin / key_block * key_block; start < all.end; start += key_block) {
      take_keys(task, start, std::max(start, all.begin), std::min(start + key_block, all.end), at);
      for (std::int64_t index = 0; index < task.block_count; ++index) {
        const PrefillBlock& block = task.blocks[static_cast<std::size_t>(index)];
        const PrefillRange& range = block.ranges[role];
        const std::int64_t begin = std::max(start, range.begin);
        const std::int64_t end = std::min(start + key_block, range.end);
        if (begin < end)
          attend_block(task, block, range, start, begin, end, at, states[static_cast<std::size_t>(index)]);
      }
    }
  }
  for (std::int64_t index = 0; index < task.block_count; ++index) {
    end_block(task.blocks[static_cast<std::size_t>(index)], task.head_dim, at, states[static_cast<std::size_t>(index)]);
  }
}

HWY_POP_ATTRIBUTES

}  // namespace natscope::kernels::cpu

#else

namespace natscope::kernels::cpu {

std::int64_t tile_prefill_scratch_bytes(std::int64_t, std::int64_t) { return 0; }

void tile_prefill_task(const PrefillTask&) {}  // never called: tiles_available() is false

}  // namespace natscope::kernels::cpu

#endif
