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

TEST_CASE("token by token through the cache equals the dense rule") {
  RandomArrays random(41);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      for (const std::int64_t tokens : {0, 1, 31, 33, 67}) {
        for (const std::int64_t window : {0, 1, 16}) {
          CAPTURE(tokens);
          CAPTURE(window);
          const AttentionCase c = random_case(random, 4, 2, 16, tokens, window, dtype);
          check_against_dense(c, backend.decode(c, 32), backend.bf16_operands);
        }
      }
    }
  }
}

TEST_CASE("every head layout, head size and page size gives the dense result") {
  RandomArrays random(42);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    struct Heads {
      std::int64_t query;
      std::int64_t kv;
    };
    for (const Heads heads : {Heads{1, 1}, Heads{3, 3}, Heads{8, 2}, Heads{7, 1}, Heads{12, 4}, Heads{34, 2}}) {
      for (const std::int64_t head_dim : {8, 10, 16, 24, 32, 34, 64, 80, 96, 128, 200, 256}) {
        for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
          CAPTURE(heads.query);
          CAPTURE(heads.kv);
          CAPTURE(head_dim);
          const AttentionCase c = random_case(random, heads.query, heads.kv, head_dim, 41, 5, dtype);
          const auto page_entries = static_cast<std::int32_t>(random.between(1, 40));
          if (turns.next()) check_against_dense(c, backend.decode(c, page_entries), backend.bf16_operands);
        }
      }
    }
  }
}

TEST_CASE("large and equal scores neither overflow nor lose the sum") {
  RandomArrays random(44);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    AttentionCase c{2, 1, 32, 50, 8, ElementType::f32, {}, {}, {}, {}};
    c.fill(random, {1, 1, 1}, 12.0F);
    check_against_dense(c, backend.decode(c, 32), backend.bf16_operands);
    std::fill(c.keys.begin(), c.keys.end(), 0.0F);
    check_against_dense(c, backend.decode(c, 32), backend.bf16_operands);
  }
}
