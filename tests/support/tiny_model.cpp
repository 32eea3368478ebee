// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/tiny_model.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>
#include <stdexcept>

#include "core/model/config.h"
#include "core/model/tensor_table.h"
#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"

namespace natscope::test {
namespace {

using Json = nlohmann::json;

Json tiny_config() {
  return {
      {"architectures", {"LlamaForCausalLM"}},
      {"model_type", "llama"},
      {"vocab_size", 300},
      {"hidden_size", 32},
      {"intermediate_size", 48},
      {"num_hidden_layers", 2},
      {"num_attention_heads", 4},
      {"num_key_value_heads", 2},
      {"head_dim", 8},
      {"hidden_act", "silu"},
      {"max_position_embeddings", 64},
      {"rms_norm_eps", 1e-5},
      {"rope_theta", 10000.0},
      {"rope_scaling", nullptr},
      {"tie_word_embeddings", false},
      {"bos_token_id", 1},
      {"eos_token_id", 2},
      {"nats", {{"window", 4}, {"global_bias", 0.1}, {"sparse_regularized_value", 0.0}}},
  };
}

/// Rounds to nearest even; only for the small finite values that random_tensor makes.
std::uint16_t bf16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
}

/// Truncates; zero below the normal range.
std::uint16_t f16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16U & 0x8000U;
  const int exponent = static_cast<int>(bits >> 23U & 0xFFU) - 127 + 15;
  if (exponent <= 0) return static_cast<std::uint16_t>(sign);
  return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(exponent) << 10U | (bits >> 13U & 0x3FFU));
}

template <class T>
void append(std::string& bytes, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}

}  // namespace

std::string safetensors_bytes(std::string_view header, std::string_view data) {
  std::string bytes;
  append(bytes, static_cast<std::uint64_t>(header.size()));
  return bytes.append(header).append(data);
}

std::string safetensors_bytes(const std::vector<TinyTensor>& tensors, const Json& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::string data;
  for (const TinyTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  return safetensors_bytes(header.dump(), data);
}

TinyTensor random_tensor(std::string name, std::vector<std::int64_t> shape, DType dtype, std::uint64_t seed,
                         float scale) {
  std::int64_t elements = 1;
  for (const std::int64_t size : shape) elements *= size;
  std::mt19937_64 random(seed);
  TinyTensor tensor{std::move(name), dtype, std::move(shape), {}};
  for (std::int64_t i = 0; i < elements; ++i) {
    // Not std::uniform_real_distribution, whose results differ between libraries.
    const float value = scale * (static_cast<float>(random() >> 40U) / static_cast<float>(1 << 23) - 1.0F);
    if (dtype == DType::f32) append(tensor.bytes, value);
    if (dtype == DType::bf16) append(tensor.bytes, bf16_bits(value));
    if (dtype == DType::f16) append(tensor.bytes, f16_bits(value));
  }
  return tensor;
}

TinyModel::TinyModel(const Json& overrides, DType dtype, std::uint64_t seed) : config(tiny_config()) {
  config.merge_patch(overrides);
  const auto parsed = parse_model_config(config);
  if (!parsed) throw std::runtime_error(format_error_line(parsed.error()));
  for (const ExpectedTensor& expected : expected_tensors(*parsed)) {
    TinyTensor tensor = random_tensor(expected.name, expected.shape, dtype, ++seed * 7919, 0.5F);
    const auto [stored, first_row] = stored_rows(*parsed, expected);
    if (first_row > 0) {  // the part before it is the last one
      tensors.back().bytes += tensor.bytes;
      continue;
    }
    tensor.name = stored.name;
    tensor.shape = stored.shape;
    tensors.push_back(std::move(tensor));
  }
  tokenizer = small_sentencepiece().serialized();
}

TinyTensor& TinyModel::tensor(std::string_view name) {
  const auto place = std::find_if(tensors.begin(), tensors.end(), [&](const TinyTensor& t) { return t.name == name; });
  if (place == tensors.end()) throw std::runtime_error("no tensor " + std::string(name));
  return *place;
}

void TinyModel::remove(std::string_view name) {
  std::erase_if(tensors, [&](const TinyTensor& t) { return t.name == name; });
}

void TinyModel::remove_score_layers() {
  config.erase("nats");
  std::erase_if(tensors,
                [](const TinyTensor& tensor) { return tensor.name.ends_with(".self_attn.proj_layer.weight"); });
}

void TinyModel::write(const std::filesystem::path& folder) const {
  write_bytes(folder / "config.json", config.dump(2));
  if (!generation.is_null()) write_bytes(folder / "generation_config.json", generation.dump(2));
  write_bytes(folder / "model.safetensors", safetensors_bytes(tensors, {{"format", "pt"}}));
  if (!tokenizer.empty()) write_bytes(folder / "tokenizer.model", tokenizer);
}

}  // namespace natscope::test
