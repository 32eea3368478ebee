// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/kv_cache.h"

namespace natscope::kernels::cpu {

/// What one KV head's queries have seen of some of its pages: softmax numerator and denominator relative to `largest`.
struct DecodeSegment {
  const KvCache* cache;
  LayerId layer;
  KvHeadId kv_head;
  std::int64_t page_begin;
  std::int64_t page_end;
  std::int64_t group;       ///< query heads that share the KV head
  std::int64_t padded_dim;  ///< head_dim rounded up to whole pairs of vectors
  const float* queries;     ///< [group, padded_dim], zeros behind head_dim, in the kernel's own order
  float* sums;              ///< [group, padded_dim] weighted values, in that order
  float* largest;           ///< [group] largest score
  float* total;             ///< [group] sum of weights
  float* scores;            ///< [group, score_stride] every entry's score, or null
  std::int64_t score_stride;
};

}  // namespace natscope::kernels::cpu
