// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <cstdlib>

namespace natscope::test {

/// Tables of cases are as long as a fast backend likes. With NATSCOPE_ONE_CASE_IN=n in the environment only every n-th
/// of them runs; a prime n still meets every value of every column.
class CaseTurns {
 public:
  CaseTurns() {
    if (const char* wanted = std::getenv("NATSCOPE_ONE_CASE_IN")) one_in_ = std::strtoull(wanted, nullptr, 10);
    if (one_in_ == 0) one_in_ = 1;
  }
  [[nodiscard]] std::uint64_t one_in() const { return one_in_; }
  /// Of a sequence, where there is no table to leave cases out of.
  [[nodiscard]] std::int64_t length(std::int64_t all, std::int64_t few, std::int64_t fewest) const {
    return one_in_ > 100 ? fewest : one_in_ > 1 ? few : all;
  }
  /// Whether the case at hand runs; asked once for each.
  [[nodiscard]] bool next() { return count_++ % one_in_ == 0; }

 private:
  std::uint64_t one_in_ = 1;
  std::uint64_t count_ = 0;
};

}  // namespace natscope::test
