// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <vector>

#include "tests/kernels/sequence_backend.h"
#include "tests/kernels/sequence_check.h"
#include "tests/support/case_turns.h"

/// The cases of every backend: this program's are those that sequence_backend says.
using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

namespace {

const std::vector<std::vector<double>> mixes{{1, 1, 1}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 10, 30}, {10, 1, 1}};

}  // namespace

TEST_CASE("in one go and in any chunks, prefill equals the dense rule") {
  RandomArrays random(51);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      for (const std::vector<double>& shares : mixes) {
        for (const std::int64_t tokens : {0, 1, 31, 33, 131}) {
          for (const std::int64_t window : {0, 1, 16, 500}) {
            const AttentionCase c = random_case(random, 4, 2, 16, tokens, window, dtype, shares);
            for (const std::int64_t chunk : {1, 7, 32, 61, 500}) {
              CAPTURE(tokens);
              CAPTURE(window);
              CAPTURE(chunk);
              if (turns.next()) check_against_dense(c, backend.prefill(c, chunk, 32), true);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("every head layout, head size and page size gives the dense result") {
  RandomArrays random(52);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    struct Heads {
      std::int64_t query;
      std::int64_t kv;
    };
    for (const Heads heads : {Heads{1, 1}, Heads{3, 3}, Heads{8, 2}, Heads{7, 1}}) {
      for (const std::int64_t head_dim : {8, 10, 16, 24, 32, 34, 64, 80, 96, 128, 200, 256}) {
        for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
          CAPTURE(heads.query);
          CAPTURE(heads.kv);
          CAPTURE(head_dim);
          const AttentionCase c = random_case(random, heads.query, heads.kv, head_dim, 97, 9, dtype,
                                              mixes[static_cast<std::size_t>(random.between(0, 5))]);
          const std::int64_t chunk = random.between(1, 97);
          const auto page_entries = static_cast<std::int32_t>(random.between(1, 40));
          if (turns.next()) check_against_dense(c, backend.prefill(c, chunk, page_entries), true);
        }
      }
    }
  }
}

TEST_CASE("longer sequences: sparse and dense heads side by side, every block border crossed") {
  RandomArrays random(53);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    if (backend.name == "ref") continue;  // plain loops: minutes
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      for (const std::vector<double>& shares : mixes) {
        for (const std::int64_t window : {3, 64, 1000}) {
          const AttentionCase c = random_case(random, 2, 1, 32, 701, window, dtype, shares);
          CAPTURE(window);
          for (const std::int64_t chunk : {701, 257}) {
            if (turns.next()) check_against_dense(c, backend.prefill(c, chunk, 32), true);
          }
        }
      }
    }
  }
}

TEST_CASE("the log-sum-exp does not drift from tile to tile") {
  RandomArrays random(55);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    AttentionCase c{1, 1, 32, 1500, 0, ElementType::f32, {}, {}, {}, {}};
    c.fill(random, {1, 0, 0});
    check_against_dense(c, backend.prefill(c, 1500, 32), true);
  }
}

TEST_CASE("large scores neither overflow nor lose the sum") {
  RandomArrays random(54);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    AttentionCase c{2, 1, 32, 150, 8, ElementType::f32, {}, {}, {}, {}};
    c.fill(random, {1, 1, 1}, 12.0F);
    check_against_dense(c, backend.prefill(c, 64, 32), true);
    std::fill(c.keys.begin(), c.keys.end(), 0.0F);
    check_against_dense(c, backend.prefill(c, 64, 32), true);
  }
}
