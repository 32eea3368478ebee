// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/cuda/train_plan.h"

namespace natscope::test {

/// What headers of kernels/cuda call a Team, as one thread that does everything.
struct HostTeam {
  template <class F>
  void each(std::int32_t count, const F& f) const {
    for (std::int32_t index = 0; index < count; ++index) f(index);
  }
  template <class Of>
  void mark(std::int32_t count, const Of& of, kernels::cuda::RoleMasks& masks) const {
    for (auto& words : masks.words) std::fill_n(words, (count + 31) / 32, 0U);
    for (std::int32_t index = 0; index < count; ++index) {
      const int run = of(index);
      if (run < role_count) masks.words[run][index / 32] |= 1U << (index % 32);
    }
  }
  template <class F>
  float sum(std::int32_t count, const F& f) const {
    float total = 0;
    for (std::int32_t index = 0; index < count; ++index) total += f(index);
    return total;
  }
  template <class F>
  float largest(std::int32_t count, const F& f) const {
    float top = -std::numeric_limits<float>::infinity();
    for (std::int32_t index = 0; index < count; ++index) top = std::max(top, f(index));
    return top;
  }
  template <class T, class F, class Join>
  T join(std::int32_t count, T joined, const F& f, const Join& both) const {
    for (std::int32_t index = 0; index < count; ++index) joined = both(joined, f(index));
    return joined;
  }
};

}  // namespace natscope::test
