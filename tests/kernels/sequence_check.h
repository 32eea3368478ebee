// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <vector>

#include "tests/kernels/attention_case.h"
#include "tests/kernels/error_bound.h"

namespace natscope::test {

/// A sequence against the dense rule. In general it is held to twice a plain f32 computation (an error of lse is one of
/// every weight, so its floor is that of 1). With `bf16_operands`, over a bf16 cache, products may take bf16 operands,
/// as a matrix unit does: queries and weights rounded to 8 bits, each off by at most 2^-9 of itself.
///
/// `dense(case, Sum())` is the truth of a case, computed in `Sum`.
template <class Dense>
void check_against(const AttentionCase& c, const AttentionResult<float>& result, bool bf16_operands,
                   const Dense& dense) {
  const AttentionResult<double> truth = dense(c, double());
  const std::span<const double> out(truth.out);
  const std::span<const double> lse(truth.lse);
  double out_allowed = 0;
  double lse_allowed = 0;
  if (c.dtype == kernels::ElementType::f32 || !bf16_operands) {
    const AttentionResult<float> plain = dense(c, float());
    out_allowed = allowed_error(largest_error(std::span<const float>(plain.out), out), largest_magnitude(out));
    lse_allowed =
        allowed_error(largest_error(std::span<const float>(plain.lse), lse), std::max(1.0, largest_magnitude(lse)));
  } else {
    AttentionCase rounded = c;
    round_to(kernels::ElementType::bf16, rounded.queries);
    const AttentionResult<double> plain = dense(rounded, double());
    const double weight_rounding = largest_magnitude(std::span<const float>(c.values)) / 256;
    out_allowed = 2 * largest_error(std::span<const double>(plain.out), out) + weight_rounding;
    lse_allowed = 2 * largest_error(std::span<const double>(plain.lse), lse) + 1e-3;
  }
  CHECK(largest_error(std::span<const float>(result.out), out) <= out_allowed);
  CHECK(largest_error(std::span<const float>(result.lse), lse) <= lse_allowed);
}

inline void check_against_dense(const AttentionCase& c, const AttentionResult<float>& result, bool bf16_operands) {
  check_against(c, result, bf16_operands,
                [](const AttentionCase& of, auto number) { return dense_attention<decltype(number)>(of); });
}

}  // namespace natscope::test
