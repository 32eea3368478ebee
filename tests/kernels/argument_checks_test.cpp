// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <functional>
#include <vector>

#include "kernels/attention_decode.h"
#include "kernels/attention_prefill.h"
#include "tests/kernels/guarded_array.h"
#include "tests/kernels/random_arrays.h"

using namespace natscope;
using namespace natscope::kernels;
using natscope::test::GuardedArray;

namespace {

std::unique_ptr<KvCache> make_cache() {
  std::unique_ptr<KvCache> cache;
  REQUIRE(KvCache::create({1, 2, 8, ElementType::f32, 4}, cache).ok());
  cache->reset(3, false);
  return cache;
}

struct DecodeArguments {
  std::vector<float> numbers = std::vector<float>(64, 1.0F);
  GuardedArray out_numbers{32};
  GuardedArray lse_numbers{4};
  std::vector<float> score_numbers = std::vector<float>(2);
  ConstView<float, 2> queries = ConstView<float, 2>::packed(numbers.data(), {4, 8});
  ConstView<float, 2> key = ConstView<float, 2>::packed(numbers.data(), {2, 8});
  ConstView<float, 2> value = ConstView<float, 2>::packed(numbers.data(), {2, 8});
  View<float, 2> out = View<float, 2>::packed(out_numbers.data(), {4, 8});
  std::span<float> lse = lse_numbers.span();
  std::span<float> scores = score_numbers;
  LayerId layer{0};
  Backend backend = Backend::cpu;
};

struct PrefillArguments {
  std::vector<float> numbers = std::vector<float>(96, 1.0F);
  std::vector<Role> role_numbers = std::vector<Role>(6, Role::global);
  GuardedArray out_numbers{96};
  GuardedArray lse_numbers{12};
  ConstView<float, 3> queries = ConstView<float, 3>::packed(numbers.data(), {4, 3, 8});
  ConstView<float, 3> keys = ConstView<float, 3>::packed(numbers.data(), {2, 3, 8});
  ConstView<float, 3> values = ConstView<float, 3>::packed(numbers.data(), {2, 3, 8});
  ConstView<Role, 2> roles = ConstView<Role, 2>::packed(role_numbers.data(), {2, 3});
  View<float, 3> out = View<float, 3>::packed(out_numbers.data(), {4, 3, 8});
  View<float, 2> lse = View<float, 2>::packed(lse_numbers.data(), {4, 3});
  LayerId layer{0};
  TokenPos first{0};
  Backend backend = Backend::cpu;
};

}  // namespace

TEST_CASE("attention_decode refuses what does not fit, and writes nothing then") {
  struct Spoiled {
    StatusCode code;
    std::function<void(DecodeArguments&)> spoil;
  };
  const std::vector<Spoiled> table{
      {StatusCode::ok, [](DecodeArguments&) {}},
      {StatusCode::ok, [](DecodeArguments& a) { a.scores = {}; }},
      {StatusCode::invalid_argument, [](DecodeArguments& a) { a.layer = LayerId(1); }},
      {StatusCode::invalid_argument, [](DecodeArguments& a) { a.layer = LayerId(-1); }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.queries.sizes[0] = 3; }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.queries.sizes[0] = 0; }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.queries.sizes[1] = 7; }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.queries.strides[1] = 2; }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.key.sizes[0] = 1; }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.value.sizes[1] = 9; }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.out.sizes[0] = 2; }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.lse = a.lse.first(3); }},
      {StatusCode::shape_mismatch, [](DecodeArguments& a) { a.scores = a.scores.first(1); }},
      {StatusCode::backend_unavailable, [](DecodeArguments& a) { a.backend = Backend::cuda; }},
  };
  const auto cache = make_cache();
  for (const Spoiled& row : table) {
    DecodeArguments a;
    row.spoil(a);
    CHECK(attention_decode(a.backend, a.queries, a.key, a.value, *cache, a.layer, a.out, a.lse, a.scores).code ==
          row.code);
    CHECK(a.out_numbers.all_written() == (row.code == StatusCode::ok));
  }
}

TEST_CASE("attention_prefill refuses what does not fit, and writes nothing then") {
  struct Spoiled {
    StatusCode code;
    std::function<void(PrefillArguments&)> spoil;
  };
  const std::vector<Spoiled> table{
      {StatusCode::ok, [](PrefillArguments&) {}},
      {StatusCode::invalid_argument, [](PrefillArguments& a) { a.layer = LayerId(1); }},
      {StatusCode::invalid_argument, [](PrefillArguments& a) { a.first = TokenPos(-1); }},
      {StatusCode::invalid_argument, [](PrefillArguments& a) { a.first = TokenPos(2147483646); }},
      {StatusCode::invalid_argument, [](PrefillArguments& a) { a.role_numbers[5] = static_cast<Role>(3); }},
      {StatusCode::shape_mismatch, [](PrefillArguments& a) { a.queries.sizes[0] = 5; }},
      {StatusCode::shape_mismatch, [](PrefillArguments& a) { a.queries.sizes[2] = 6; }},
      {StatusCode::shape_mismatch, [](PrefillArguments& a) { a.keys.sizes[1] = 2; }},
      {StatusCode::shape_mismatch, [](PrefillArguments& a) { a.keys.strides[2] = 3; }},
      {StatusCode::shape_mismatch, [](PrefillArguments& a) { a.values.sizes[0] = 1; }},
      {StatusCode::shape_mismatch, [](PrefillArguments& a) { a.roles.sizes[1] = 2; }},
      {StatusCode::shape_mismatch, [](PrefillArguments& a) { a.out.sizes[1] = 4; }},
      {StatusCode::shape_mismatch, [](PrefillArguments& a) { a.lse.sizes[0] = 3; }},
      {StatusCode::backend_unavailable, [](PrefillArguments& a) { a.backend = Backend::cuda; }},
  };
  const auto cache = make_cache();
  for (const Spoiled& row : table) {
    PrefillArguments a;
    row.spoil(a);
    CHECK(attention_prefill(a.backend, a.queries, a.keys, a.values, a.roles, *cache, a.layer, a.first, a.out, a.lse)
              .code == row.code);
    CHECK(a.out_numbers.all_written() == (row.code == StatusCode::ok));
  }
}
