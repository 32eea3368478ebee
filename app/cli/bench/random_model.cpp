// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/random_model.h"

#include <unistd.h>

#include <algorithm>
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
#include "kernels/shared_work.h"

namespace natscope::bench {
namespace {

constexpr double weight_deviation = 0.02;
/// A prime, so that the rows of no matrix repeat each other; 2 MB in bf16, which is written in one go.
constexpr std::size_t block_elements = 1'048'573;

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

/// Random numbers that all matrices are cut from, in one type. Speed does not ask for more, and gigabytes of weights
/// are written as fast as the file takes them.
class Block {
 public:
  explicit Block(kernels::ElementType dtype) : element_bytes_(static_cast<std::size_t>(kernels::element_bytes(dtype))) {
    NormalNumbers numbers(1);
    bytes_.resize(block_elements * element_bytes_);
    for (std::size_t i = 0; i < block_elements; ++i) {
      const float number = numbers.next();
      const kernels::Bf16 narrow = kernels::to_bf16(number);
      std::memcpy(bytes_.data() + i * element_bytes_,
                  dtype == kernels::ElementType::f32 ? static_cast<const void*>(&number) : &narrow, element_bytes_);
    }
  }

  /// `elements` numbers from number `first` on, round and round.
  Expected<void> write(std::size_t first, std::int64_t elements, const TensorSink& sink) const {
    auto left = static_cast<std::size_t>(elements);
    for (std::size_t at = first % block_elements; left > 0; at = 0) {
      const std::size_t count = std::min(left, block_elements - at);
      NATSCOPE_CHECK(sink(std::span(bytes_).subspan(at * element_bytes_, count * element_bytes_)));
      left -= count;
    }
    return {};
  }

 private:
  std::size_t element_bytes_;
  std::vector<std::byte> bytes_;
};

TensorToWrite tensor_of(std::string name, std::vector<std::int64_t> shape, kernels::ElementType dtype) {
  TensorToWrite tensor;
  tensor.dtype = dtype == kernels::ElementType::f32 ? DType::f32 : DType::bf16;
  tensor.shape = std::move(shape);
  tensor.name = std::move(name);
  return tensor;
}

/// `block` must outlive the result.
TensorToWrite matrix(std::string name, std::int64_t rows, std::int64_t cols, kernels::ElementType dtype,
                     const Block& block) {
  const std::size_t first = std::hash<std::string>{}(name);
  TensorToWrite tensor = tensor_of(std::move(name), {rows, cols}, dtype);
  tensor.produce = [&block, first, elements = rows * cols](const TensorSink& sink) {
    return block.write(first, elements, sink);
  };
  return tensor;
}

TensorToWrite ones(std::string name, std::int64_t size, kernels::ElementType dtype) {
  TensorToWrite tensor = tensor_of(std::move(name), {size}, dtype);
  tensor.produce = [size, dtype](const TensorSink& sink) {
    const std::vector<float> wide(static_cast<std::size_t>(size), 1.0F);
    const std::vector<kernels::Bf16> narrow(static_cast<std::size_t>(size), kernels::to_bf16(1.0F));
    return sink(dtype == kernels::ElementType::f32 ? std::as_bytes(std::span(wide)) : std::as_bytes(std::span(narrow)));
  };
  return tensor;
}

struct Shard {
  std::string name;
  std::vector<TensorToWrite> tensors;
};

/// One for what stands outside of the layers, and one a layer. `block` must outlive the result.
std::vector<Shard> shards_of(const ModelShape& shape, kernels::ElementType dtype, const Block& block) {
  std::vector<Shard> shards(static_cast<std::size_t>(shape.layers) + 1);
  const std::int64_t hidden = shape.hidden;
  const std::int64_t kv_rows = std::int64_t{shape.kv_heads} * shape.head_dim();
  for (std::size_t index = 0; index < shards.size(); ++index) {
    Shard& shard = shards[index];
    shard.name = "model-" + std::to_string(index) + ".safetensors";
    const auto add = [&](const std::string& name, std::int64_t rows, std::int64_t cols) {
      shard.tensors.push_back(matrix(name, rows, cols, dtype, block));
    };
    const auto add_norm = [&](const std::string& name) { shard.tensors.push_back(ones(name, hidden, dtype)); };
    if (index == 0) {
      add("model.embed_tokens.weight", shape.vocab, hidden);
      add_norm("model.norm.weight");
      continue;
    }
    const std::string prefix = "model.layers." + std::to_string(index - 1) + ".";
    add_norm(prefix + "input_layernorm.weight");
    add_norm(prefix + "post_attention_layernorm.weight");
    add(prefix + "self_attn.q_proj.weight", hidden, hidden);
    add(prefix + "self_attn.k_proj.weight", kv_rows, hidden);
    add(prefix + "self_attn.v_proj.weight", kv_rows, hidden);
    add(prefix + "self_attn.o_proj.weight", hidden, hidden);
    add(prefix + "mlp.gate_proj.weight", shape.intermediate, hidden);
    add(prefix + "mlp.up_proj.weight", shape.intermediate, hidden);
    add(prefix + "mlp.down_proj.weight", hidden, shape.intermediate);
  }
  return shards;
}

/// Shards side by side: one thread does not fill memory as fast as it goes.
Expected<void> write_weights(const std::filesystem::path& folder, const ModelShape& shape, kernels::ElementType dtype) {
  const Block block(dtype);
  const std::vector<Shard> shards = shards_of(shape, dtype, block);
  nlohmann::json places = nlohmann::json::object();
  for (const Shard& shard : shards) {
    for (const TensorToWrite& tensor : shard.tensors) places[tensor.name] = shard.name;
  }
  std::vector<Expected<void>> written(shards.size());
  constexpr double shard_ns = 1e9;
  kernels::share_rows(static_cast<std::int64_t>(shards.size()), shard_ns, [&](std::int64_t row) {
    const auto index = static_cast<std::size_t>(row);
    written[index] = write_safetensors(folder / shards[index].name, shards[index].tensors, {});
  });
  for (Expected<void>& result : written) {
    NATSCOPE_CHECK(std::move(result));
  }
  return write_file_atomically(folder / "model.safetensors.index.json",
                               std::string_view(nlohmann::json{{"weight_map", places}}.dump()));
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
  const std::string place = !parent.empty()                              ? parent.string()
                            : temporary != nullptr && *temporary != '\0' ? temporary
                                                                         : "/tmp";
  std::string pattern = place + "/natscope-bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    return fail(ErrorCode::io_failure, "no temporary folder can be made at " + pattern,
                "set TMPDIR to a folder with room");
  }
  RandomModelFolder folder{std::filesystem::path(pattern)};
  add_temporary_folder(folder.path_);
  NATSCOPE_CHECK(write_file_atomically(folder.path_ / "config.json", std::string_view(config_text(shape))));
  std::error_code problem;
  std::filesystem::copy_file(demo_model_path() / "tokenizer.model", folder.path_ / "tokenizer.model", problem);
  if (problem) return fail(ErrorCode::missing_tokenizer, "the demo's tokenizer cannot be copied: " + problem.message());
  NATSCOPE_CHECK(write_weights(folder.path_, shape, dtype));
  return folder;
}

RandomModelFolder::RandomModelFolder(RandomModelFolder&& other) noexcept : path_(std::move(other.path_)) {
  other.path_.clear();
}

RandomModelFolder::~RandomModelFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  forget_temporary_folder(path_);
}

}  // namespace natscope::bench
