// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/random_model.h"

#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numbers>
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/resource_path.h"
#include "core/io/safetensors_writer.h"

namespace natscope::bench {
namespace {

constexpr double weight_deviation = 0.02;
constexpr std::size_t piece_elements = 1U << 16U;

/// Normally distributed numbers from a counter (SplitMix64, Box–Muller): the same on every machine, cheap.
class NormalNumbers {
 public:
  explicit NormalNumbers(std::uint64_t seed) : state_(seed) {}

  float next() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return static_cast<float>(weight_deviation * radius * std::cos(2 * std::numbers::pi * uniform()));
  }

 private:
  double uniform() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t bits = state_;
    bits = (bits ^ (bits >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    bits = (bits ^ (bits >> 27U)) * 0x94d049bb133111ebULL;
    bits ^= bits >> 31U;
    return (static_cast<double>(bits >> 11U) + 0.5) * 0x1.0p-53;
  }
  std::uint64_t state_;
};

TensorToWrite matrix(std::string name, std::vector<std::int64_t> shape, kernels::ElementType dtype, bool ones) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) elements *= extent;
  TensorToWrite tensor;
  tensor.dtype = dtype == kernels::ElementType::f32 ? DType::f32 : DType::bf16;
  tensor.shape = std::move(shape);
  const std::uint64_t seed = std::hash<std::string>{}(name);
  tensor.name = std::move(name);
  tensor.produce = [elements, dtype, ones, seed](const TensorSink& sink) -> Expected<void> {
    // One random piece, repeated: 65 536 different numbers are random enough for a product's speed.
    NormalNumbers numbers(seed);
    std::vector<float> wide(piece_elements);
    for (float& number : wide) number = ones ? 1.0F : numbers.next();
    std::vector<kernels::Bf16> narrow(piece_elements);
    for (std::size_t i = 0; i < piece_elements; ++i) narrow[i] = kernels::to_bf16(wide[i]);
    for (std::int64_t done = 0; done < elements; done += static_cast<std::int64_t>(piece_elements)) {
      const auto count = static_cast<std::size_t>(std::min<std::int64_t>(elements - done, static_cast<std::int64_t>(piece_elements)));
      NATSCOPE_CHECK(dtype == kernels::ElementType::f32 ? sink(std::as_bytes(std::span(wide).first(count)))
                                                        : sink(std::as_bytes(std::span(narrow).first(count))));
    }
    return {};
  };
  return tensor;
}

std::vector<TensorToWrite> tensors_of(const ModelShape& shape, kernels::ElementType dtype) {
  std::vector<TensorToWrite> tensors;
  const std::int64_t hidden = shape.hidden;
  const std::int64_t kv_rows = std::int64_t{shape.kv_heads} * shape.head_dim();
  const auto add = [&](const std::string& name, std::vector<std::int64_t> sizes, bool ones) {
    tensors.push_back(matrix(name, std::move(sizes), dtype, ones));
  };
  add("model.embed_tokens.weight", {shape.vocab, hidden}, false);
  add("model.norm.weight", {hidden}, true);
  for (int layer = 0; layer < shape.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm.weight", {hidden}, true);
    add(prefix + "post_attention_layernorm.weight", {hidden}, true);
    add(prefix + "self_attn.q_proj.weight", {hidden, hidden}, false);
    add(prefix + "self_attn.k_proj.weight", {kv_rows, hidden}, false);
    add(prefix + "self_attn.v_proj.weight", {kv_rows, hidden}, false);
    add(prefix + "self_attn.o_proj.weight", {hidden, hidden}, false);
    add(prefix + "mlp.gate_proj.weight", {shape.intermediate, hidden}, false);
    add(prefix + "mlp.up_proj.weight", {shape.intermediate, hidden}, false);
    add(prefix + "mlp.down_proj.weight", {hidden, shape.intermediate}, false);
  }
  return tensors;
}

std::string config_text(const ModelShape& shape) {
  return nlohmann::json{{"architectures", {"LlamaForCausalLM"}},
                        {"model_type", "llama"},
                        {"vocab_size", shape.vocab},
                        {"hidden_size", shape.hidden},
                        {"intermediate_size", shape.intermediate},
                        {"num_hidden_layers", shape.layers},
                        {"num_attention_heads", shape.heads},
                        {"num_key_value_heads", shape.kv_heads},
                        {"hidden_act", "silu"},
                        {"max_position_embeddings", shape.context},
                        {"rms_norm_eps", 1e-5},
                        {"rope_theta", 10000.0},
                        {"tie_word_embeddings", true},
                        {"bos_token_id", 1},
                        {"eos_token_id", 2}}
      .dump(2);
}

}  // namespace

std::int64_t ModelShape::matrix_elements() const {
  const std::int64_t e = hidden;
  const std::int64_t kv_rows = std::int64_t{kv_heads} * head_dim();
  return std::int64_t{layers} * (2 * e * e + 2 * kv_rows * e + 3 * e * intermediate) + std::int64_t{vocab} * e;
}

Expected<RandomModelFolder> RandomModelFolder::create(const ModelShape& shape, kernels::ElementType dtype,
                                                      const std::filesystem::path& parent) {
  const char* temporary = std::getenv("TMPDIR");
  const std::string place = !parent.empty()                                ? parent.string()
                            : temporary != nullptr && *temporary != '\0' ? temporary
                                                                          : "/tmp";
  std::string pattern = place + "/natscope-bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    return fail(ErrorCode::io_failure, "no temporary folder can be made at " + pattern, "set TMPDIR to a folder with room");
  }
  RandomModelFolder folder{std::filesystem::path(pattern)};
  NATSCOPE_CHECK(write_file_atomically(folder.path_ / "config.json", std::string_view(config_text(shape))));
  std::error_code problem;
  std::filesystem::copy_file(resource_path("demo") / "tokenizer.model", folder.path_ / "tokenizer.model", problem);
  if (problem) return fail(ErrorCode::missing_tokenizer, "the demo's tokenizer cannot be copied: " + problem.message());
  NATSCOPE_CHECK(write_safetensors(folder.path_ / "model.safetensors", tensors_of(shape, dtype), {}));
  return folder;
}

RandomModelFolder::RandomModelFolder(RandomModelFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }

RandomModelFolder::~RandomModelFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace natscope::bench
