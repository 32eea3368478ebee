// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/rope.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace natscope {
namespace {

void check_close(const std::vector<float>& found, const std::vector<double>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(found[i] - wanted[i]) <= 2e-7 * wanted[i]);
  }
}

TEST_CASE("plain and linear frequencies") {
  RopeConfig rope;
  check_close(rope_inverse_frequencies(rope, 8), {1.0, 0.1, 0.01, 0.001});
  rope.kind = RopeKind::linear;
  rope.factor = 4.0;
  check_close(rope_inverse_frequencies(rope, 8), {0.25, 0.025, 0.0025, 0.00025});
}

TEST_CASE("llama3 keeps short waves, stretches long ones, and joins them") {
  RopeConfig rope;
  rope.kind = RopeKind::llama3;
  rope.factor = 4.0;
  rope.low_freq_factor = 1.0;
  rope.high_freq_factor = 4.0;
  rope.original_context = 64;
  // As transformers 5.23.0 computes them for head_dim 16 and theta 10000 (tests/data/hf, model "llama").
  check_close(rope_inverse_frequencies(rope, 16),
              {1.0, 0.25464791059494019, 0.025464789941906929, 0.0079056946560740471, 0.0024999999441206455,
               0.00079056946560740471, 0.00025000001187436283, 7.9056946560740471e-05});
}

}  // namespace
}  // namespace natscope
