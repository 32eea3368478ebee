// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

/// Sections 4, 6 and 7 of the rules as dense matrices of one query head, in `Real`. Shares no code with kernels/: roles
/// are three vectors of numbers, visibility is the product of equation 5, and sums run over whole matrices.
namespace natscope::test {

template <class Real>
struct Matrix {
  Matrix(std::int64_t row_count, std::int64_t column_count)
      : rows(row_count), columns(column_count), numbers(static_cast<std::size_t>(row_count * column_count)) {}
  Real& operator()(std::int64_t r, std::int64_t c) { return numbers[static_cast<std::size_t>(r * columns + c)]; }
  const Real& operator()(std::int64_t r, std::int64_t c) const {
    return numbers[static_cast<std::size_t>(r * columns + c)];
  }

  std::int64_t rows;
  std::int64_t columns;
  std::vector<Real> numbers;
};

/// One-hot roles as numbers that may be moved a little: [T, 3] in the order G, L, S.
template <class Real>
using Options = Matrix<Real>;

/// M[m, n] of equations 3 – 5.
template <class Real>
Matrix<Real> mask_of(const Options<Real>& a, std::int64_t window) {
  Matrix<Real> mask(a.rows, a.rows);
  for (std::int64_t m = 0; m < a.rows; ++m) {
    Real no_global_between = 1;
    mask(m, m) = 1;
    for (std::int64_t n = m - 1; n >= 0; --n) {
      mask(m, n) = a(n, 0) + a(n, 1) * no_global_between + (m <= n + window ? a(n, 2) : Real(0));
      no_global_between *= 1 - a(n, 0);
    }
  }
  return mask;
}

template <class Real>
struct DenseForward {
  Matrix<Real> exponentials;  ///< e^s
  Matrix<Real> mask;
  std::vector<Real> sum;  ///< S[m], the masked sum of e^s
  Matrix<Real> out;
};

template <class Real>
DenseForward<Real> dense_forward(const Matrix<Real>& q, const Matrix<Real>& k, const Matrix<Real>& v,
                                 const Options<Real>& a, std::int64_t window) {
  DenseForward<Real> result{Matrix<Real>(q.rows, q.rows), mask_of(a, window),
                            std::vector<Real>(static_cast<std::size_t>(q.rows)), Matrix<Real>(q.rows, q.columns)};
  for (std::int64_t m = 0; m < q.rows; ++m) {
    for (std::int64_t n = 0; n <= m; ++n) {
      Real score = 0;
      for (std::int64_t d = 0; d < q.columns; ++d) score += q(m, d) * k(n, d);
      result.exponentials(m, n) = std::exp(score / std::sqrt(static_cast<Real>(q.columns)));
      result.sum[static_cast<std::size_t>(m)] += result.exponentials(m, n) * result.mask(m, n);
    }
    for (std::int64_t n = 0; n <= m; ++n) {
      const Real weight = result.exponentials(m, n) * result.mask(m, n) / result.sum[static_cast<std::size_t>(m)];
      for (std::int64_t d = 0; d < q.columns; ++d) result.out(m, d) += weight * v(n, d);
    }
  }
  return result;
}

template <class Real>
struct DenseBackward {
  Matrix<Real> dq, dk, dv;
  Matrix<Real> dm;         ///< dM[m, n] for every causal pair (equation 17)
  Matrix<Real> d_options;  ///< [T, 3]: the sums of equations 24 – 26, without regulariser
};

/// Where the next global after n is; T where there is none.
template <class Real>
std::int64_t next_global_of(const Options<Real>& a, std::int64_t n) {
  std::int64_t next = n + 1;
  while (next < a.rows && a(next, 0) != 1) ++next;
  return next;
}

template <class Real>
DenseBackward<Real> dense_backward(const Matrix<Real>& q, const Matrix<Real>& k, const Matrix<Real>& v,
                                   const Options<Real>& a, std::int64_t window, const Matrix<Real>& d_out) {
  const DenseForward<Real> forward = dense_forward(q, k, v, a, window);
  const std::int64_t length = q.rows;
  const Real scale = 1 / std::sqrt(static_cast<Real>(q.columns));
  DenseBackward<Real> result{Matrix<Real>(length, q.columns), Matrix<Real>(length, q.columns),
                             Matrix<Real>(length, q.columns), Matrix<Real>(length, length), Matrix<Real>(length, 3)};
  for (std::int64_t m = 0; m < length; ++m) {
    Real delta = 0;
    for (std::int64_t d = 0; d < q.columns; ++d) delta += d_out(m, d) * forward.out(m, d);
    for (std::int64_t n = 0; n <= m; ++n) {
      Real dp = 0;
      for (std::int64_t d = 0; d < q.columns; ++d) dp += d_out(m, d) * v(n, d);
      const Real share = forward.exponentials(m, n) / forward.sum[static_cast<std::size_t>(m)];
      result.dm(m, n) = std::min(share, Real(1)) * (dp - delta);
      const Real weight = share * forward.mask(m, n);
      for (std::int64_t d = 0; d < q.columns; ++d) {
        result.dv(n, d) += weight * d_out(m, d);
        result.dk(n, d) += weight * (dp - delta) * scale * q(m, d);
        result.dq(m, d) += weight * (dp - delta) * scale * k(n, d);
      }
    }
  }
  for (std::int64_t n = 0; n < length; ++n) {
    const std::int64_t next = next_global_of(a, n);
    for (std::int64_t m = n; m < length; ++m) {
      result.d_options(n, 0) += result.dm(m, n);
      if (m <= next) result.d_options(n, 1) += result.dm(m, n);
      if (m <= n + window) result.d_options(n, 2) += result.dm(m, n);
    }
    if (a(n, 0) != 1) continue;
    for (std::int64_t local = 0; local < n; ++local) {  // the locals that this global ends
      if (a(local, 1) != 1 || next_global_of(a, local) != n) continue;
      for (std::int64_t m = n + 1; m < length && m <= next; ++m) result.d_options(n, 0) -= result.dm(m, local);
    }
  }
  return result;
}

}  // namespace natscope::test
