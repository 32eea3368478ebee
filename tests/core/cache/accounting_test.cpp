// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/accounting.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

TEST_CASE("dense, live and allocated stay apart") {
  const CacheGeometry geometry{2, 3, 8, kernels::ElementType::bf16};
  CHECK(geometry.entry_bytes() == 32);
  const CacheCounts counts = count_cache(geometry, 10, 15, 6 * 32 * 32, 90);
  CHECK(counts.dense_bytes == 10 * 6 * 32);
  CHECK(counts.live_bytes == 15 * 32);
  CHECK(counts.allocated_bytes == 6 * 32 * 32);
  CHECK(counts.fraction == 0.25);
  CHECK(counts.paper_fraction == 1.5);  // not capped
}

TEST_CASE("without a window of its own the paper's fraction is ours; before the first token both are 0") {
  const CacheGeometry geometry{2, 3, 8, kernels::ElementType::f32};
  CHECK(count_cache(geometry, 10, 15, 0, {}).paper_fraction == 0.25);
  const CacheCounts none = count_cache(geometry, 0, 0, 0, 6 * 16);
  CHECK(none.fraction == 0);
  CHECK(none.paper_fraction == 0);
  CHECK(none.dense_bytes == 0);
}

}  // namespace
}  // namespace natscope
