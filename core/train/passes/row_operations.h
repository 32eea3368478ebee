// SPDX-License-Identifier: GPL-3.0-or-later
/// The parts of a training step between the matrix products: norms, rotation, SwiGLU, cross entropy, optimizer.
/// Private to core/train.
///
/// One pass over memory each, vectorised for the processor it runs on (Highway's dispatch), rows shared between OpenMP
/// threads. Sums over rows are taken in fixed pieces, so results do not depend on the number of threads.
/// N rows (tokens of a micro-batch), E hidden size, I intermediate size, V vocabulary. `Number` is float or Bf16: what
/// products read and write; sums and everything that is kept are f32. Arrays are packed, row-major.
#pragma once

#include <cstdint>

#include "kernels/element_type.h"

namespace natscope::train {

using kernels::Bf16;

struct NormShape {
  std::int64_t rows = 0;   ///< N
  std::int64_t width = 0;  ///< E
  float epsilon = 1e-5F;
};

struct HeadShape {
  std::int64_t rows = 0;     ///< N = batch · context
  std::int64_t context = 0;  ///< T; position of row n is n mod T
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
};

struct AdamStep {
  double learning_rate = 0.0;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.0;    ///< decoupled: multiplies the weight by 1 − learning_rate · weight_decay
  double gradient_scale = 1.0;  ///< from the norm clip
  std::int64_t step = 1;        ///< from 1, for the bias correction
};

/// Operations on rows of `Number`, for the best instruction set there is.
template <class Number>
struct RowOperations {
  /// x[n] = embedding[tokens[n]]: tokens [N], embedding [V, E], x [N, E].
  void (*gather_rows)(const std::int32_t* tokens, const Number* embedding, float* x, std::int64_t rows,
                      std::int64_t width);

  /// x_out = x + y (y may be null), h = x_out · inverse_rms · weight: x, y, x_out, h [N, E], inverse_rms [N], weight
  /// [E].
  void (*add_and_normalise)(NormShape shape, const float* x, const Number* y, const Number* weight, float* x_out,
                            Number* h, float* inverse_rms);

  /// Backward of the norm, added to the residual's gradient: dx += d(norm)/dx · dh. The rounded dx goes to dx_rounded
  /// when it is not null; dweight [E] is added to.
  void (*normalise_backward)(NormShape shape, const Number* dh, const float* x, const float* inverse_rms,
                             const Number* weight, float* dx, Number* dx_rounded, float* dweight);

  /// qkv [N, (H + 2K)·D] into q [N, H, D], k, v [N, K, D], q and k rotated (halves layout); cosine, sine [T, D/2].
  void (*split_and_rotate)(HeadShape shape, const Number* qkv, const float* cosine, const float* sine, float* q,
                           float* k, float* v);

  /// The gradient's way back: rotated by the opposite angle and put together.
  void (*rotate_back_and_join)(HeadShape shape, const float* dq, const float* dk, const float* dv, const float* cosine,
                               const float* sine, Number* dqkv);

  /// activated = silu(gate) · up: gate_up [N, 2I], activated [N, I].
  void (*swiglu)(std::int64_t rows, std::int64_t width, const Number* gate_up, Number* activated);

  /// dgate_up [N, 2I] from dactivated; `activated` is computed again (it is cheaper than to keep).
  void (*swiglu_backward)(std::int64_t rows, std::int64_t width, const Number* gate_up, const Number* dactivated,
                          Number* dgate_up, Number* activated);

  /// Cross entropy of logits [N, V] and its gradient in their place: logits = (softmax − one-hot) · scale.
  /// nll [N] natural logarithm; a target below 0 is left out: its nll is 0 and its gradient is zero.
  void (*cross_entropy)(std::int64_t rows, std::int64_t vocab, Number* logits, const std::int32_t* targets, float scale,
                        float* nll);

  /// out [N, J] f32 = h [N, E] · weight [J, E]ᵀ for a small J (the score layers), without rounding the result.
  void (*narrow_product)(std::int64_t rows, std::int64_t width, std::int64_t outputs, const Number* h,
                         const Number* weight, float* out);

  void (*round_to)(std::int64_t count, const float* in, Number* out);  ///< out = in, rounded
  void (*widen)(std::int64_t count, const Number* in, float* out);     ///< out = in
  void (*add_to)(std::int64_t count, const Number* in, float* sum);    ///< sum += in

  /// dembedding [V, E] += dx [N, E] at the tokens' rows, in the order of n.
  void (*scatter_add_rows)(const std::int32_t* tokens, const float* dx, float* dembedding, std::int64_t rows,
                           std::int64_t width);

  double (*sum_of_squares)(std::int64_t count, const float* values);

  /// AdamW (Loshchilov and Hutter, arXiv 1711.05101): weights and moments in place.
  void (*adamw)(const AdamStep& step, std::int64_t count, const float* gradient, float* weights, float* first_moment,
                float* second_moment);
};

/// Number: float or Bf16.
template <class Number>
[[nodiscard]] const RowOperations<Number>& row_operations();

}  // namespace natscope::train
