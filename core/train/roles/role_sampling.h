// SPDX-License-Identifier: GPL-3.0-or-later
/// From role scores to roles and back: Gumbel-softmax with a hard choice, and its straight-through gradient.
/// Private to core/train. Source: the rules, sections 2, 3 and 6; Jang, Gu, Poole (arXiv 1611.01144).
#pragma once

#include <cstdint>

#include "core/train/random/counter_random.h"
#include "kernels/token_roles.h"

namespace natscope::train {

struct RoleShape {
  std::int64_t batch = 0;
  std::int64_t context = 0;   ///< T
  std::int64_t kv_heads = 0;  ///< K

  [[nodiscard]] std::int64_t rows() const { return batch * context; }
  [[nodiscard]] std::int64_t columns() const { return 3 * kv_heads; }
};

/// Draws roles at temperature 1; positions 0 and T − 1 are global whatever the scores say.
///   scores [batch · T, 3K], roles [batch, K, T], probabilities [batch · T, 3K]: the softmax that the gradient goes
///   through
/// `first_row` is the row of the optimiser step that row 0 is, so that noise does not depend on the micro-batch.
void sample_roles(RoleShape shape, const float* scores, const CounterRandom& noise, std::int64_t first_row, Role* roles,
                  float* probabilities);

/// What inference chooses: argmax with the bias; position 0 is global.
void argmax_roles(RoleShape shape, const float* scores, float global_bias, Role* roles);

/// Adds to the locals' gradients what they cost more (or less) when they live until the next global of `chosen` instead
/// of `sampled`: charge · (next_global(chosen, n) − next_global(sampled, n)) / T, both capped at T − 1.
///   sampled, chosen [batch, K, T], d_roles [batch, K, T, 3]
void charge_locals_as_chosen(RoleShape shape, const Role* sampled, const Role* chosen, double charge, float* d_roles);

/// d_scores = y ⊙ (d_roles − Σ y·d_roles), y the probabilities; zero at positions 0 and T − 1.
///   d_roles [batch, K, T, 3], d_scores [batch · T, 3K]
void role_scores_backward(RoleShape shape, const float* d_roles, const float* probabilities, float* d_scores);

}  // namespace natscope::train
