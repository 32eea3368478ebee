// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/attention_train.h"

namespace natscope::kernels::ref {

namespace {

/// An operand of a matrix product as a double: rounded to bf16 first where the products take bf16.
double operand(float value, ElementType dtype) { return dtype == ElementType::bf16 ? to_float(to_bf16(value)) : value; }

/// One query head of one batch item, next to the KV head it reads.
struct Head {
  const AttentionTrainInputs& inputs;
  std::int64_t batch;
  std::int64_t head;
  std::int64_t kv_head;
  const std::vector<std::int32_t>& next;

  double query(std::int64_t m, std::int64_t d) const { return operand(inputs.q(batch, head, m, d), inputs.dtype); }
  double key(std::int64_t n, std::int64_t d) const { return operand(inputs.k(batch, kv_head, n, d), inputs.dtype); }
  double value(std::int64_t n, std::int64_t d) const { return operand(inputs.v(batch, kv_head, n, d), inputs.dtype); }

  bool sees(std::int64_t m, std::int64_t n) const {
    return visible(inputs.roles(batch, kv_head, n), TokenPos(static_cast<std::int32_t>(n)),
                   TokenPos(static_cast<std::int32_t>(m)), next[static_cast<std::size_t>(n)], inputs.window);
  }

  double score(std::int64_t m, std::int64_t n) const {
    double dot = 0;
    for (std::int64_t d = 0; d < inputs.q.size(3); ++d) dot += query(m, d) * key(n, d);
    return dot / std::sqrt(static_cast<double>(inputs.q.size(3)));
  }
};

std::vector<std::int32_t> next_globals_of(const AttentionTrainInputs& inputs, std::int64_t batch,
                                          std::int64_t kv_head) {
  const std::int64_t length = inputs.roles.size(2);
  std::vector<std::int32_t> next(static_cast<std::size_t>(length));
  std::int32_t nearest = no_next_global;
  for (std::int64_t n = length; n-- > 0;) {
    next[static_cast<std::size_t>(n)] = nearest;
    if (inputs.roles(batch, kv_head, n) == Role::global) nearest = static_cast<std::int32_t>(n);
  }
  return next;
}

/// The sums over columns of dM (equations 24 – 26), of one KV head of one batch item.
struct RoleSums {
  explicit RoleSums(std::int64_t length)
      : global(static_cast<std::size_t>(length)), local(global), sliding(global), cut(global) {}

  std::vector<double> global, local, sliding, cut;

  void add(const Head& head, std::int64_t m, std::int64_t n, double dm) {
    const auto at = static_cast<std::size_t>(n);
    const std::int64_t next = head.next[at];
    global[at] += dm;
    if (m <= next) local[at] += dm;
    if (m <= n + head.inputs.window) sliding[at] += dm;
    const bool is_local = head.inputs.roles(head.batch, head.kv_head, n) == Role::local;
    if (is_local && next != no_next_global && m > next && m <= head.next[static_cast<std::size_t>(next)]) {
      cut[static_cast<std::size_t>(next)] += dm;
    }
  }
};

/// What the query heads of one KV head add up to.
struct KeySums {
  explicit KeySums(std::int64_t numbers) : dk(static_cast<std::size_t>(numbers)), dv(dk) {}
  std::vector<double> dk, dv;
};

void head_backward(const Head& head, const AttentionTrainGradients& gradients, KeySums& keys, RoleSums& roles) {
  const AttentionTrainInputs& inputs = head.inputs;
  const std::int64_t length = inputs.q.size(2);
  const std::int64_t head_dim = inputs.q.size(3);
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  std::vector<double> d_out(static_cast<std::size_t>(head_dim));
  std::vector<double> dq(d_out);
  std::vector<double> scores(static_cast<std::size_t>(length));

  for (std::int64_t m = 0; m < length; ++m) {
    double delta = 0;
    for (std::int64_t d = 0; d < head_dim; ++d) {
      const auto at = static_cast<std::size_t>(d);
      d_out[at] = operand(gradients.d_out(head.batch, head.head, m, d), inputs.dtype);
      delta += d_out[at] * gradients.out(head.batch, head.head, m, d);
      dq[at] = 0;
    }
    // Not gradients.lse, which was rounded to float: of scores in the thousands that is a part of every weight.
    double largest = head.score(m, m);
    for (std::int64_t n = 0; n <= m; ++n) {
      scores[static_cast<std::size_t>(n)] = head.score(m, n);
      if (head.sees(m, n)) largest = std::max(largest, scores[static_cast<std::size_t>(n)]);
    }
    double sum = 0;
    for (std::int64_t n = 0; n <= m; ++n) {
      if (head.sees(m, n)) sum += std::exp(scores[static_cast<std::size_t>(n)] - largest);
    }
    for (std::int64_t n = 0; n <= m; ++n) {
      const double weight = std::exp(scores[static_cast<std::size_t>(n)] - largest) / sum;
      double dp = 0;
      for (std::int64_t d = 0; d < head_dim; ++d) dp += d_out[static_cast<std::size_t>(d)] * head.value(n, d);
      roles.add(head, m, n, std::min(weight, 1.0) * (dp - delta));
      if (!head.sees(m, n)) continue;
      const double ds = weight * (dp - delta) * scale;
      for (std::int64_t d = 0; d < head_dim; ++d) {
        const auto at = static_cast<std::size_t>(n * head_dim + d);
        keys.dv[at] += weight * d_out[static_cast<std::size_t>(d)];
        keys.dk[at] += ds * head.query(m, d);
        dq[static_cast<std::size_t>(d)] += ds * head.key(n, d);
      }
    }
    for (std::int64_t d = 0; d < head_dim; ++d)
      gradients.dq(head.batch, head.head, m, d) = static_cast<float>(dq[static_cast<std::size_t>(d)]);
  }
}

}  // namespace

Status attention_train_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse) {
  const std::int64_t length = inputs.q.size(2);
  const std::int64_t head_dim = inputs.q.size(3);
  const std::int64_t group = inputs.q.size(1) / inputs.k.size(1);
  std::vector<double> weights(static_cast<std::size_t>(length));

  for (std::int64_t b = 0; b < inputs.q.size(0); ++b) {
    for (std::int64_t h = 0; h < inputs.q.size(1); ++h) {
      const std::vector<std::int32_t> next = next_globals_of(inputs, b, h / group);
      const Head head{inputs, b, h, h / group, next};
      for (std::int64_t m = 0; m < length; ++m) {
        double largest = head.score(m, m);
        for (std::int64_t n = 0; n <= m; ++n) {
          if (!head.sees(m, n)) continue;
          weights[static_cast<std::size_t>(n)] = head.score(m, n);
          largest = std::max(largest, weights[static_cast<std::size_t>(n)]);
        }
        double sum = 0;
        std::vector<double> row(static_cast<std::size_t>(head_dim));
        for (std::int64_t n = 0; n <= m; ++n) {
          if (!head.sees(m, n)) continue;
          const double weight = std::exp(weights[static_cast<std::size_t>(n)] - largest);
          sum += weight;
          for (std::int64_t d = 0; d < head_dim; ++d) row[static_cast<std::size_t>(d)] += weight * head.value(n, d);
        }
        lse(b, h, m) = static_cast<float>(largest + std::log(sum));
        for (std::int64_t d = 0; d < head_dim; ++d)
          out(b, h, m, d) = static_cast<float>(row[static_cast<std::size_t>(d)] / sum);
      }
    }
  }
  return {};
}

Status attention_train_backward(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients) {
  const std::int64_t length = inputs.q.size(2);
  const std::int64_t head_dim = inputs.q.size(3);
  const std::int64_t group = inputs.q.size(1) / inputs.k.size(1);
  const double lambda = gradients.sparse_regularized_value;

  for (std::int64_t b = 0; b < inputs.k.size(0); ++b) {
    for (std::int64_t kv_head = 0; kv_head < inputs.k.size(1); ++kv_head) {
      const std::vector<std::int32_t> next = next_globals_of(inputs, b, kv_head);
      KeySums keys(length * head_dim);
      RoleSums roles(length);
      for (std::int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
        head_backward({inputs, b, h, kv_head, next}, gradients, keys, roles);
      }
      for (std::int64_t n = 0; n < length; ++n) {
        const auto at = static_cast<std::size_t>(n);
        for (std::int64_t d = 0; d < head_dim; ++d) {
          gradients.dk(b, kv_head, n, d) = static_cast<float>(keys.dk[static_cast<std::size_t>(n * head_dim + d)]);
          gradients.dv(b, kv_head, n, d) = static_cast<float>(keys.dv[static_cast<std::size_t>(n * head_dim + d)]);
        }
        if (gradients.d_roles.data == nullptr) continue;
        const auto total = static_cast<double>(length);
        const double reach = std::min<double>(next[at], total - 1) - static_cast<double>(n);
        gradients.d_roles(b, kv_head, n, 0) =
            static_cast<float>(roles.global[at] - roles.cut[at] + lambda * (total - static_cast<double>(n)) / total);
        gradients.d_roles(b, kv_head, n, 1) = static_cast<float>(roles.local[at] + lambda * reach / total);
        gradients.d_roles(b, kv_head, n, 2) = static_cast<float>(roles.sliding[at]);
      }
    }
  }
  return {};
}

}  // namespace natscope::kernels::ref
