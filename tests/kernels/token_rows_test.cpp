// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/token_rows.h"

#include <doctest/doctest.h>

#include <vector>

using namespace natscope::kernels;

namespace {

TokenProducts products_of(const std::vector<std::int64_t>& sizes, TokenProducts::Into into) {
  TokenProducts call;
  call.into = into;
  call.count = static_cast<std::int32_t>(sizes.size());
  for (std::size_t product = 0; product < sizes.size(); ++product) call.products[product].out_size = sizes[product];
  return call;
}

}  // namespace

TEST_CASE("every row of every product is some warp's, once") {
  for (const std::vector<std::int64_t>& sizes :
       std::vector<std::vector<std::int64_t>>{{1}, {2}, {7}, {3, 1, 1, 9}, {8, 4, 4, 12}, {0, 5}, {5, 0, 2}, {0}}) {
    const TokenProducts call = products_of(sizes, TokenProducts::Into::out);
    const cuda::TokenRows rows(call);
    std::vector<std::vector<int>> taken;
    for (const std::int64_t size : sizes) taken.emplace_back(static_cast<std::size_t>(size));
    std::int64_t none = 0;
    for (std::int32_t group = 0; group < rows.groups; ++group) {
      for (int which = 0; which < cuda::token_rows_at_once; ++which) {
        const cuda::TokenRow at = rows.row(group, which);
        if (at.product < 0) {
          ++none;
        } else {
          ++taken.at(static_cast<std::size_t>(at.product)).at(static_cast<std::size_t>(at.row));
        }
      }
    }
    CHECK(none < cuda::token_rows_at_once);
    for (const std::vector<int>& of_product : taken) {
      for (const int times : of_product) CHECK(times == 1);
    }
  }
}

TEST_CASE("a warp that gates has the same row of both products") {
  const TokenProducts call = products_of({5, 5}, TokenProducts::Into::gate);
  const cuda::TokenRows rows(call);
  CHECK(rows.groups == 5);
  for (std::int32_t group = 0; group < rows.groups; ++group) {
    for (const int which : {0, 1}) {
      CHECK(rows.row(group, which).product == which);
      CHECK(rows.row(group, which).row == group);
    }
  }
}

TEST_CASE("a kernel takes products of one type of weights") {
  TokenProducts call = products_of({4, 4, 4, 4}, TokenProducts::Into::out);
  call.products[2].dtype = ElementType::bf16;
  CHECK(cuda::end_of_run(call, 0) == 2);
  CHECK(cuda::end_of_run(call, 2) == 3);
  CHECK(cuda::end_of_run(call, 3) == 4);
}

TEST_CASE("a team of warps has every piece of a row, and the blocks every group, once") {
  for (const std::int32_t piece : {1, 4, 8}) {
    for (const std::int64_t in_size : {0, 1, 31, 64, 768, 1000, 2048, 4096, 5120, 11008, 14336, 28672, 100000}) {
      CAPTURE(piece);
      CAPTURE(in_size);
      const cuda::TokenPlan plan(1003, in_size, piece);
      CHECK(plan.pieces <= cuda::TokenPlan::most_pieces);
      CHECK(plan.warps() <= (plan.pieces == 3                              ? cuda::TokenPlan::single_warps
                             : plan.pieces == cuda::TokenPlan::most_pieces ? cuda::TokenPlan::most_splits
                                                                           : cuda::TokenPlan::usual_warps));
      const std::int64_t of_round = std::int64_t{32} * piece * plan.pieces * plan.splits;
      CHECK(of_round * plan.rounds >= in_size);
      CHECK(of_round * (plan.rounds - 1) <= in_size);
      CHECK((plan.rounds == 1 || plan.pieces == cuda::TokenPlan::most_pieces));
      for (const std::int64_t resident : {0, 1, 9}) {
        const std::int64_t blocks = plan.blocks(132, resident);
        std::int32_t next = 0;
        for (std::int64_t block = 0; block < blocks; ++block) {
          const auto share = plan.share(static_cast<std::int32_t>(block), static_cast<std::int32_t>(blocks));
          CHECK(share.begin == next);
          CHECK(share.end > share.begin);
          next = share.end;
        }
        CHECK(next == 1003);
      }
    }
  }
}
