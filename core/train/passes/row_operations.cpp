// SPDX-License-Identifier: GPL-3.0-or-later
// Plain loops, compiled once for every instruction set that Highway dispatches to; the compiler vectorises them.
#include "core/train/passes/row_operations.h"

#include <omp.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/train/passes/row_operations.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::train::HWY_NAMESPACE {

// Pieces in which sums over rows are taken: enough for many threads, and the same for any number of them.
constexpr std::int64_t pieces = 32;

HWY_INLINE float wide(float value) { return value; }
HWY_INLINE float wide(Bf16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16U); }
HWY_INLINE void put(float value, float& out) { out = value; }
HWY_INLINE void put(float value, Bf16& out) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U;
  const std::uint32_t quiet = (bits >> 16U) | 0x40U;
  out.bits = static_cast<std::uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

/// e^x to about 2 units in the last place, without a branch so that loops vectorise (Cephes' polynomial).
HWY_INLINE float exponential(float x) {
  x = x < -87.0F ? -87.0F : (x > 88.0F ? 88.0F : x);
  const float shifted = x * 1.44269504F + 12582912.0F;  // round to a whole number
  const float n = shifted - 12582912.0F;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const float e = p * r * r + r + 1.0F;
  const std::uint32_t bits = (std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U;
  return e * std::bit_cast<float>(bits);
}

template <class Number>
void gather_rows(const std::int32_t* tokens, const Number* embedding, float* x, std::int64_t rows, std::int64_t width) {
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < rows; ++n) {
    const Number* from = embedding + tokens[n] * width;
    float* to = x + n * width;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) to[i] = wide(from[i]);
  }
}

void scatter_add_rows(const std::int32_t* tokens, const float* dx, float* dembedding, std::int64_t rows,
                      std::int64_t width) {
  constexpr std::int64_t columns = 64;
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < width; begin += columns) {
    const std::int64_t end = std::min(width, begin + columns);
    for (std::int64_t n = 0; n < rows; ++n) {
      const float* from = dx + n * width;
      float* to = dembedding + tokens[n] * width;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
    }
  }
}

template <class Number>
void add_and_normalise(NormShape shape, const float* x, const Number* y, const Number* weight, float* x_out, Number* h,
                       float* inverse_rms) {
  const std::int64_t width = shape.width;
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < shape.rows; ++n) {
    const float* in = x + n * width;
    float* out = x_out + n * width;
    if (y != nullptr) {
      const Number* added = y + n * width;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) out[i] = in[i] + wide(added[i]);
    } else if (out != in) {
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) out[i] = in[i];
    }
    float squares = 0.0F;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t i = 0; i < width; ++i) squares += out[i] * out[i];
    const float r = 1.0F / std::sqrt(squares / static_cast<float>(width) + shape.epsilon);
    inverse_rms[n] = r;
    Number* normal = h + n * width;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) put(out[i] * r * wide(weight[i]), normal[i]);
  }
}

template <class Number>
void normalise_backward(NormShape shape, const Number* dh, const float* x, const float* inverse_rms,
                        const Number* weight, float* dx, Number* dx_rounded, float* dweight) {
  const std::int64_t width = shape.width;
  std::vector<float> partial(static_cast<std::size_t>(pieces * width), 0.0F);
  const std::int64_t rows_a_piece = (shape.rows + pieces - 1) / pieces;
#pragma omp parallel for schedule(static)
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    float* sum = partial.data() + piece * width;
    const std::int64_t end = std::min(shape.rows, (piece + 1) * rows_a_piece);
    for (std::int64_t n = piece * rows_a_piece; n < end; ++n) {
      const Number* g = dh + n * width;
      const float* in = x + n * width;
      float* out = dx + n * width;
      const float r = inverse_rms[n];
      float dot = 0.0F;
#pragma omp simd reduction(+ : dot)
      for (std::int64_t i = 0; i < width; ++i) dot += wide(g[i]) * wide(weight[i]) * in[i];
      const float along = dot * r * r * r / static_cast<float>(width);
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        const float gradient = wide(g[i]);
        sum[i] += gradient * in[i] * r;
        out[i] += gradient * wide(weight[i]) * r - in[i] * along;
      }
      if (dx_rounded != nullptr) {
        Number* rounded = dx_rounded + n * width;
#pragma omp simd
        for (std::int64_t i = 0; i < width; ++i) put(out[i], rounded[i]);
      }
    }
  }
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) dweight[i] += partial[static_cast<std::size_t>(piece * width + i)];
  }
}

template <class Number>
void split_and_rotate(HeadShape s, const Number* qkv, const float* cosine, const float* sine, float* q, float* k,
                      float* v) {
  const std::int64_t half = s.head_dim / 2;
  const std::int64_t columns = (s.heads + 2 * s.kv_heads) * s.head_dim;
  const std::int64_t kv_columns = s.kv_heads * s.head_dim;
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < s.rows; ++n) {
    const Number* in = qkv + n * columns;
    const float* c = cosine + (n % s.context) * half;
    const float* sn = sine + (n % s.context) * half;
    for (std::int64_t head = 0; head < s.heads + s.kv_heads; ++head) {
      const Number* from = in + head * s.head_dim;
      float* to =
          head < s.heads ? q + (n * s.heads + head) * s.head_dim : k + (n * s.kv_heads + head - s.heads) * s.head_dim;
#pragma omp simd
      for (std::int64_t i = 0; i < half; ++i) {
        const float low = wide(from[i]);
        const float high = wide(from[i + half]);
        to[i] = low * c[i] - high * sn[i];
        to[i + half] = high * c[i] + low * sn[i];
      }
    }
    const Number* values = in + columns - kv_columns;
    float* to = v + n * kv_columns;
#pragma omp simd
    for (std::int64_t i = 0; i < kv_columns; ++i) to[i] = wide(values[i]);
  }
}

template <class Number>
void rotate_back_and_join(HeadShape s, const float* dq, const float* dk, const float* dv, const float* cosine,
                          const float* sine, Number* dqkv) {
  const std::int64_t half = s.head_dim / 2;
  const std::int64_t columns = (s.heads + 2 * s.kv_heads) * s.head_dim;
  const std::int64_t kv_columns = s.kv_heads * s.head_dim;
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < s.rows; ++n) {
    Number* out = dqkv + n * columns;
    const float* c = cosine + (n % s.context) * half;
    const float* sn = sine + (n % s.context) * half;
    for (std::int64_t head = 0; head < s.heads + s.kv_heads; ++head) {
      const float* from =
          head < s.heads ? dq + (n * s.heads + head) * s.head_dim : dk + (n * s.kv_heads + head - s.heads) * s.head_dim;
      Number* to = out + head * s.head_dim;
#pragma omp simd
      for (std::int64_t i = 0; i < half; ++i) {
        put(from[i] * c[i] + from[i + half] * sn[i], to[i]);
        put(from[i + half] * c[i] - from[i] * sn[i], to[i + half]);
      }
    }
    Number* values = out + columns - kv_columns;
    const float* from = dv + n * kv_columns;
#pragma omp simd
    for (std::int64_t i = 0; i < kv_columns; ++i) put(from[i], values[i]);
  }
}

template <class Number>
void swiglu(std::int64_t rows, std::int64_t width, const Number* gate_up, Number* activated) {
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < rows; ++n) {
    const Number* gate = gate_up + n * 2 * width;
    const Number* up = gate + width;
    Number* out = activated + n * width;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) {
      const float g = wide(gate[i]);
      put(g / (1.0F + exponential(-g)) * wide(up[i]), out[i]);
    }
  }
}

template <class Number>
void swiglu_backward(std::int64_t rows, std::int64_t width, const Number* gate_up, const Number* dactivated,
                     Number* dgate_up, Number* activated) {
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < rows; ++n) {
    const Number* gate = gate_up + n * 2 * width;
    const Number* up = gate + width;
    const Number* d = dactivated + n * width;
    Number* dgate = dgate_up + n * 2 * width;
    Number* dup = dgate + width;
    Number* out = activated + n * width;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) {
      const float g = wide(gate[i]);
      const float u = wide(up[i]);
      const float gradient = wide(d[i]);
      const float sigmoid = 1.0F / (1.0F + exponential(-g));
      const float silu = g * sigmoid;
      put(silu * u, out[i]);
      put(gradient * silu, dup[i]);
      put(gradient * u * sigmoid * (1.0F + g - silu), dgate[i]);
    }
  }
}

template <class Number>
void cross_entropy(std::int64_t rows, std::int64_t vocab, Number* logits, const std::int32_t* targets, float scale,
                   float* nll) {
  // Before threads begin, in which nobody could be told that there is no memory.
  std::vector<float> weights(static_cast<std::size_t>(omp_get_max_threads() * vocab));
#pragma omp parallel
  {
    float* e = weights.data() + omp_get_thread_num() * vocab;
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < rows; ++n) {
      Number* row = logits + n * vocab;
      if (targets[n] < 0) {
#pragma omp simd
        for (std::int64_t i = 0; i < vocab; ++i) put(0.0F, row[i]);
        nll[n] = 0.0F;
        continue;
      }
      float top = -3.0e38F;
#pragma omp simd reduction(max : top)
      for (std::int64_t i = 0; i < vocab; ++i) {
        const float logit = wide(row[i]);
        top = logit > top ? logit : top;
      }
      const float target_logit = wide(row[targets[n]]);
      float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = 0; i < vocab; ++i) {
        e[i] = exponential(wide(row[i]) - top);
        sum += e[i];
      }
      nll[n] = std::log(sum) + top - target_logit;
      const float factor = scale / sum;
#pragma omp simd
      for (std::int64_t i = 0; i < vocab; ++i) put(e[i] * factor, row[i]);
      put(e[targets[n]] * factor - scale, row[targets[n]]);
    }
  }
}

template <class Number>
void narrow_product(std::int64_t rows, std::int64_t width, std::int64_t outputs, const Number* h, const Number* weight,
                    float* out) {
  std::vector<float> wide_weight(static_cast<std::size_t>(outputs * width));
#pragma omp simd
  for (std::int64_t i = 0; i < outputs * width; ++i) wide_weight[static_cast<std::size_t>(i)] = wide(weight[i]);
  std::vector<float> wide_rows(static_cast<std::size_t>(omp_get_max_threads() * width));
#pragma omp parallel
  {
    float* x = wide_rows.data() + omp_get_thread_num() * width;
#pragma omp for schedule(static)
    for (std::int64_t n = 0; n < rows; ++n) {
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) x[i] = wide(h[n * width + i]);
      for (std::int64_t j = 0; j < outputs; ++j) {
        const float* w = wide_weight.data() + j * width;
        float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t i = 0; i < width; ++i) sum += x[i] * w[i];
        out[n * outputs + j] = sum;
      }
    }
  }
}

template <class Number>
void round_to(std::int64_t count, const float* in, Number* out) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) put(in[i], out[i]);
}

template <class Number>
void widen(std::int64_t count, const Number* in, float* out) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) out[i] = wide(in[i]);
}

template <class Number>
void add_to(std::int64_t count, const Number* in, float* sum) {
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) sum[i] += wide(in[i]);
}

double sum_of_squares(std::int64_t count, const float* values) {
  double partial[pieces] = {};
  const std::int64_t length = (count + pieces - 1) / pieces;
#pragma omp parallel for schedule(static)
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    double sum = 0.0;
    const std::int64_t end = std::min(count, (piece + 1) * length);
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = piece * length; i < end; ++i) {
      sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    }
    partial[piece] = sum;
  }
  double total = 0.0;
  for (const double sum : partial) total += sum;
  return total;
}

void adamw(const AdamStep& step, std::int64_t count, const float* gradient, float* weights, float* first_moment,
           float* second_moment) {
  const auto beta1 = static_cast<float>(step.beta1);
  const auto beta2 = static_cast<float>(step.beta2);
  const auto scale = static_cast<float>(step.gradient_scale);
  const auto steps = static_cast<double>(step.step);
  const auto rate = static_cast<float>(step.learning_rate / (1.0 - std::pow(step.beta1, steps)));
  const auto correction = static_cast<float>(1.0 / (1.0 - std::pow(step.beta2, steps)));
  const auto epsilon = static_cast<float>(step.epsilon);
  const auto keep = static_cast<float>(1.0 - step.learning_rate * step.weight_decay);
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * scale;
    const float m = beta1 * first_moment[i] + (1.0F - beta1) * g;
    const float v = beta2 * second_moment[i] + (1.0F - beta2) * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    weights[i] = weights[i] * keep - rate * m / (std::sqrt(v * correction) + epsilon);
  }
}

template <class Number>
constexpr RowOperations<Number> operations{
    .gather_rows = &gather_rows<Number>,
    .add_and_normalise = &add_and_normalise<Number>,
    .normalise_backward = &normalise_backward<Number>,
    .split_and_rotate = &split_and_rotate<Number>,
    .rotate_back_and_join = &rotate_back_and_join<Number>,
    .swiglu = &swiglu<Number>,
    .swiglu_backward = &swiglu_backward<Number>,
    .cross_entropy = &cross_entropy<Number>,
    .narrow_product = &narrow_product<Number>,
    .round_to = &round_to<Number>,
    .widen = &widen<Number>,
    .add_to = &add_to<Number>,
    .scatter_add_rows = &scatter_add_rows,
    .sum_of_squares = &sum_of_squares,
    .adamw = &adamw,
};

const RowOperations<float>& float_operations() { return operations<float>; }
const RowOperations<Bf16>& bf16_operations() { return operations<Bf16>; }

}  // namespace natscope::train::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::train {

HWY_EXPORT(float_operations);
HWY_EXPORT(bf16_operations);

template <>
const RowOperations<float>& row_operations<float>() {
  return HWY_DYNAMIC_DISPATCH(float_operations)();
}

template <>
const RowOperations<Bf16>& row_operations<Bf16>() {
  return HWY_DYNAMIC_DISPATCH(bf16_operations)();
}

}  // namespace natscope::train
#endif
