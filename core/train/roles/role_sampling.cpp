// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/roles/role_sampling.h"

#include <algorithm>
#include <cmath>

namespace natscope::train {

void sample_roles(RoleShape shape, const float* scores, const CounterRandom& noise, std::int64_t first_row, Role* roles,
                  float* probabilities) {
  const std::int64_t columns = shape.columns();
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < shape.rows(); ++row) {
    const std::int64_t segment = row / shape.context;
    const std::int64_t position = row % shape.context;
    const bool forced = position == 0 || position == shape.context - 1;
    for (std::int64_t head = 0; head < shape.kv_heads; ++head) {
      const std::int64_t at = row * columns + 3 * head;
      const auto counter = static_cast<std::uint64_t>((first_row + row) * columns + 3 * head);
      float noisy[role_count];
      int best = 0;
      for (int option = 0; option < role_count; ++option) {
        const float uniform = noise.uniform(counter + static_cast<std::uint64_t>(option));
        noisy[option] = scores[at + option] - std::log(-std::log(uniform));
        if (noisy[option] > noisy[best]) best = option;
      }
      float sum = 0.0F;
      const float top = noisy[best];
      for (float& value : noisy) sum += value = std::exp(value - top);
      for (int option = 0; option < role_count; ++option) probabilities[at + option] = noisy[option] / sum;
      roles[(segment * shape.kv_heads + head) * shape.context + position] =
          forced ? Role::global : static_cast<Role>(best);
    }
  }
}

void argmax_roles(RoleShape shape, const float* scores, float global_bias, Role* roles) {
  const std::int64_t columns = shape.columns();
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < shape.rows(); ++row) {
    const std::int64_t segment = row / shape.context;
    const std::int64_t position = row % shape.context;
    for (std::int64_t head = 0; head < shape.kv_heads; ++head) {
      roles[(segment * shape.kv_heads + head) * shape.context + position] =
          position == 0 ? Role::global : role_from_scores(scores + row * columns + 3 * head, global_bias);
    }
  }
}

void charge_locals_as_chosen(RoleShape shape, const Role* sampled, const Role* chosen, double charge, float* d_roles) {
  const double scale = charge / static_cast<double>(shape.context);
  const auto local = static_cast<int>(Role::local);
#pragma omp parallel for schedule(static)
  for (std::int64_t head = 0; head < shape.batch * shape.kv_heads; ++head) {
    const Role* drawn = sampled + head * shape.context;
    const Role* taken = chosen + head * shape.context;
    float* d = d_roles + head * shape.context * role_count;
    std::int64_t next_drawn = shape.context - 1;
    std::int64_t next_taken = shape.context - 1;
    for (std::int64_t n = shape.context - 1; n >= 0; --n) {
      d[n * role_count + local] += static_cast<float>(scale * static_cast<double>(next_taken - next_drawn));
      if (drawn[n] == Role::global) next_drawn = n;
      if (taken[n] == Role::global) next_taken = n;
    }
  }
}

void role_scores_backward(RoleShape shape, const float* d_roles, const float* probabilities, float* d_scores) {
  const std::int64_t columns = shape.columns();
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < shape.rows(); ++row) {
    const std::int64_t segment = row / shape.context;
    const std::int64_t position = row % shape.context;
    if (position == 0 || position == shape.context - 1) {
      std::fill_n(d_scores + row * columns, columns, 0.0F);
      continue;
    }
    for (std::int64_t head = 0; head < shape.kv_heads; ++head) {
      const float* d = d_roles + ((segment * shape.kv_heads + head) * shape.context + position) * 3;
      const float* y = probabilities + row * columns + 3 * head;
      const float mean = y[0] * d[0] + y[1] * d[1] + y[2] * d[2];
      float* out = d_scores + row * columns + 3 * head;
      for (int option = 0; option < role_count; ++option) out[option] = y[option] * (d[option] - mean);
    }
  }
}

}  // namespace natscope::train
