// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/products/prepared_weights.h"

#include <algorithm>
#include <new>

#include "core/base/cancel.h"
#include "core/engine/products/weight_conversion.h"
#include "core/model/stored_type.h"
#include "core/row_math/row_math.h"
#include "kernels/shared_work.h"

namespace natscope {

namespace {

using kernels::ElementType;

constexpr std::size_t alignment = 64;
constexpr std::int64_t rows_a_step = 16;

/// row += scale · b · A, for one row b [r] of LoRA's B and all of A [r, cols].
void add_lora(std::span<float> row, std::span<const float> b, std::span<const float> a, float scale) {
  for (std::size_t r = 0; r < b.size(); ++r) {
    const float factor = scale * b[r];
    const float* const from = a.data() + r * row.size();
    for (std::size_t column = 0; column < row.size(); ++column) row[column] += factor * from[column];
  }
}

/// Whether products can read the stored numbers as they are.
bool fits(ElementType stored, ElementType dtype, PreparedWeights::Products products) {
  if (stored == ElementType::f16 && products == PreparedWeights::Products::device) return false;
  return stored == ElementType::bf16 || dtype == ElementType::f32;
}

}  // namespace

void* PreparedWeights::own(std::size_t size_bytes) {
  void* const memory = std::aligned_alloc(alignment, (size_bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  owned_.emplace_back(memory);
  return memory;
}

Matrix PreparedWeights::prepare(const WeightView& view, const LoraView& lora, ElementType dtype, Products products) {
  if (!view.present()) return {};
  ask_for_large_pages(view);
  const ElementType stored = stored_type(view.dtype);
  if (fits(stored, dtype, products) && !lora.present()) return {view.data, stored, view.rows, view.cols};

  const auto cols = static_cast<std::size_t>(view.cols);
  void* const memory = own(static_cast<std::size_t>(view.elements() * kernels::element_bytes(dtype)));
  const std::vector<float> a = read_vector(lora.a);
  const std::vector<float> b = read_vector(lora.b);
  const std::size_t rank = a.size() / cols;
  const double work_ns = row_math::loop_ns(view.elements()) * static_cast<double>(1 + rank);
  kernels::share_work(view.rows, rows_a_step, work_ns, [&](int, std::int64_t begin, std::int64_t end) {
    std::vector<float> row(cols);
    for (std::int64_t n = begin; n < end; ++n) {
      read_weights(view, n * view.cols, row);
      if (rank > 0) add_lora(row, std::span(b).subspan(static_cast<std::size_t>(n) * rank, rank), a, lora.scale);
      if (dtype == ElementType::f32) {
        std::ranges::copy(row, static_cast<float*>(memory) + n * view.cols);
      } else {
        row_math::convert(row.data(), view.cols, static_cast<kernels::Bf16*>(memory) + n * view.cols);
      }
    }
  });
  release_mapped_pages(view);
  return {memory, dtype, view.rows, view.cols};
}

Expected<PreparedWeights> PreparedWeights::create(const ModelConfig& config, const ModelWeights& weights,
                                                  std::int32_t layers, ElementType dtype, Products products,
                                                  std::stop_token stop) {
  try {
    PreparedWeights prepared;
    for (const LayerWeights& from : std::span(weights.layers).first(static_cast<std::size_t>(layers))) {
      NATSCOPE_CHECK(check(stop));
      const auto matrix = [&](const WeightView& view, const LoraView& lora = {}) {
        return prepared.prepare(view, lora, dtype, products);
      };
      PreparedLayer layer;
      layer.q = matrix(from.q, from.q_lora);
      layer.k = matrix(from.k, from.k_lora);
      layer.v = matrix(from.v, from.v_lora);
      layer.o = matrix(from.o, from.o_lora);
      layer.score = matrix(from.score);
      layer.gate = matrix(from.gate);
      layer.up = matrix(from.up);
      layer.down = matrix(from.down);
      layer.input_norm = read_vector(from.input_norm);
      layer.post_attention_norm = read_vector(from.post_attention_norm);
      layer.q_norm = read_vector(from.q_norm);
      layer.k_norm = read_vector(from.k_norm);
      layer.q_bias = read_vector(from.q_bias);
      layer.k_bias = read_vector(from.k_bias);
      layer.v_bias = read_vector(from.v_bias);
      layer.o_bias = read_vector(from.o_bias);
      layer.gate_bias = read_vector(from.gate_bias);
      layer.up_bias = read_vector(from.up_bias);
      layer.down_bias = read_vector(from.down_bias);
      prepared.layers_.push_back(std::move(layer));
    }
    prepared.lm_head_ = prepared.prepare(weights.lm_head, {}, dtype, products);
    prepared.embedding_ = weights.embed;
    prepared.embedding_scale_ = static_cast<float>(config.embedding_scale());
    prepared.norm_ = read_vector(weights.norm);
    for (float& number : prepared.norm_)
      number = static_cast<float>(static_cast<double>(number) / config.logits_scaling);
    return prepared;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for the model's weights",
                "close other programs, or take a model whose weights are stored in the type that is computed in");
  }
}

void PreparedWeights::embed(std::int32_t token, std::span<float> out) const {
  read_weights(embedding_, std::int64_t{token} * embedding_.cols, out);
  if (embedding_scale_ == 1) return;
  for (float& number : out) number *= embedding_scale_;
}

std::int64_t PreparedWeights::size_bytes() const {
  const auto of_matrix = [](const Matrix& m) { return m.rows * m.cols * kernels::element_bytes(m.dtype); };
  const auto of_numbers = [](const std::vector<float>& numbers) {
    return static_cast<std::int64_t>(numbers.size() * sizeof(float));
  };
  std::int64_t sum_bytes = of_matrix(lm_head_) + of_numbers(norm_);
  for (const PreparedLayer& layer : layers_) {
    for (const Matrix* matrix :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down, &layer.score})
      sum_bytes += of_matrix(*matrix);
    for (const std::vector<float>* numbers :
         {&layer.input_norm, &layer.post_attention_norm, &layer.q_norm, &layer.k_norm, &layer.q_bias, &layer.k_bias,
          &layer.v_bias, &layer.o_bias, &layer.gate_bias, &layer.up_bias, &layer.down_bias})
      sum_bytes += of_numbers(*numbers);
  }
  return sum_bytes;
}

}  // namespace natscope
