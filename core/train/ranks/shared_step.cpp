// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/ranks/shared_step.h"

#include <algorithm>
#include <vector>

namespace natscope::train {

Expected<void> check_shared_batch(int batch, int ranks) {
  if (batch % ranks == 0) return {};
  return fail(ErrorCode::usage,
              "--batch " + std::to_string(batch) + " cannot be shared by " + std::to_string(ranks) + " ranks",
              "choose a multiple");
}

Expected<void> all_reduce(RankGroup& ranks, std::span<double> numbers, RoleStatistics& sampled,
                          RoleStatistics& argmax) {
  if (ranks.size() == 1) return {};
  // Counts stay whole numbers in a double up to 2^53.
  std::vector<double> all(numbers.begin(), numbers.end());
  const auto for_each_count = [&](auto visit) {
    for (RoleStatistics* statistics : {&sampled, &argmax}) {
      for (HeadRoles& head : statistics->heads) {
        for (std::int64_t& tokens : head.tokens) visit(tokens);
        visit(head.held);
        visit(head.dense);
      }
    }
  };
  for_each_count([&all](std::int64_t& count) { all.push_back(static_cast<double>(count)); });
  NATSCOPE_CHECK(ranks.all_reduce(all));
  std::copy_n(all.begin(), numbers.size(), numbers.begin());
  std::size_t next = numbers.size();
  for_each_count([&](std::int64_t& count) { count = static_cast<std::int64_t>(all[next++]); });
  return {};
}

}  // namespace natscope::train
