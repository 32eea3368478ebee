// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/rope.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace natscope {
namespace {

std::vector<float> frequencies(const RopeConfig& rope, int head_dim) {
  return RotaryEmbedding(rope, head_dim).frequencies();
}

void check_close(const std::vector<float>& found, const std::vector<double>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(found[i] - wanted[i]) <= 2e-7 * wanted[i]);
  }
}

TEST_CASE("plain and linear frequencies") {
  RopeConfig rope;
  check_close(frequencies(rope, 8), {1.0, 0.1, 0.01, 0.001});
  rope.kind = RopeKind::linear;
  rope.factor = 4.0;
  check_close(frequencies(rope, 8), {0.25, 0.025, 0.0025, 0.00025});
}

TEST_CASE("llama3 keeps short waves, stretches long ones, and joins them") {
  RopeConfig rope;
  rope.kind = RopeKind::llama3;
  rope.factor = 4.0;
  rope.low_freq_factor = 1.0;
  rope.high_freq_factor = 4.0;
  rope.original_context = 64;
  // As transformers 5.23.0 computes them for head_dim 16 and theta 10000 (tests/data/hf, model "llama").
  check_close(frequencies(rope, 16),
              {1.0, 0.25464791059494019, 0.025464789941906929, 0.0079056946560740471, 0.0024999999441206455,
               0.00079056946560740471, 0.00025000001187436283, 7.9056946560740471e-05});
}

TEST_CASE("yarn keeps pairs that turn often, stretches those that do not, and goes over between them") {
  RopeConfig rope;
  rope.kind = RopeKind::yarn;
  rope.factor = 4.0;
  rope.original_context = 64;
  rope.beta_fast = 8.0;
  // As transformers 5.23.0 computes them for head_dim 16 and theta 10000.
  const std::vector<double> stretched = {0.0024999999441206455, 0.0007905694656074047, 0.0002500000118743628,
                                         7.905694656074047e-05};
  const auto check_begin = [&](std::vector<double> wanted) {
    wanted.insert(wanted.end(), stretched.begin(), stretched.end());
    check_close(frequencies(rope, 16), wanted);
  };
  check_begin({1.0, 0.23717081546783447, 0.04999999701976776, 0.007905694656074047});
  rope.truncate = false;
  check_begin({1.0, 0.212468683719635, 0.025664398446679115, 0.007905694656074047});
  rope.truncate = true;
  rope.beta_fast = 32.0;
  rope.original_context = 256;
  check_begin({1.0, 0.2569350600242615, 0.0625, 0.013834965415298939});
  rope.original_context = 4;  // shorter than any turn: the ramp is one step
  check_begin({1.0, 0.07905694097280502, 0.02500000037252903, 0.007905694656074047});
}

TEST_CASE("LongRoPE divides each pair's frequency by its own factor") {
  RopeConfig rope;
  rope.kind = RopeKind::longrope;
  rope.original_context = 64;
  rope.rotated_part = 0.75;
  rope.short_factor = {1.0, 1.25, 2.0};
  rope.long_factor = {4.0, 8.0, 10.0};
  check_close(frequencies(rope, 8), {1.0, 0.046415888336127786 / 1.25, 0.0021544346900318843 / 2.0});
  rope.beyond_original = true;
  check_close(frequencies(rope, 8), {0.25, 0.046415888336127786 / 8.0, 0.0021544346900318843 / 10.0});

  rope.attention_factor = 1.19;
  float cosine[3], sine[3];
  RotaryEmbedding(rope, 8).at(0, cosine, sine);
  CHECK(cosine[2] == 1.19F);
}

TEST_CASE("a part of each head: fewer pairs, with the frequencies of a head of that size") {
  RopeConfig rope;
  rope.rotated_part = 0.75;
  check_close(frequencies(rope, 8), {1.0, 0.046415888336127786, 0.0021544346900318843});
  CHECK(RotaryEmbedding(rope, 128).pairs() == 48);
}

TEST_CASE("a model's own scale of attention's scores comes out of queries and keys") {
  ModelConfig config;
  config.head_dim = 64;
  config.attention_multiplier = 1.0 / 64;
  float cosine[32], sine[32];
  RotaryEmbedding(config).at(0, cosine, sine);
  // (cosine · q) · (cosine · k) / sqrt(64) = q · k / 64
  CHECK(cosine[5] * cosine[5] / 8 == doctest::Approx(1.0 / 64).epsilon(1e-6));
  config.attention_multiplier.reset();
  RotaryEmbedding(config).at(0, cosine, sine);
  CHECK(cosine[5] == 1.0F);
}

TEST_CASE("cosines and sines of a position, with yarn's factor") {
  RopeConfig rope;
  for (const double factor : {1.0, 1.25}) {
    rope.attention_factor = factor;
    rope.kind = factor == 1.0 ? RopeKind::none : RopeKind::yarn;
    rope.original_context = 1 << 20;  // nothing turns too seldom
    const RotaryEmbedding embedding(rope, 8);
    REQUIRE(embedding.pairs() == 4);
    for (const std::int64_t position : {0, 1, 31, 123457}) {
      float cosine[4], sine[4];
      embedding.at(position, cosine, sine);
      for (int i = 0; i < 4; ++i) {
        const double angle = static_cast<double>(position) * static_cast<double>(embedding.frequencies()[i]);
        CHECK(cosine[i] == doctest::Approx(factor * std::cos(angle)).epsilon(1e-6));
        CHECK(sine[i] == doctest::Approx(factor * std::sin(angle)).epsilon(1e-6));
      }
    }
  }
}

}  // namespace
}  // namespace natscope
