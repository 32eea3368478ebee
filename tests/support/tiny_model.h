// SPDX-License-Identifier: GPL-3.0-or-later
/// A small random model folder, made at run time: whole, or broken in one place.
///
///     TinyModel model;
///     model.config["head_dim"] = 15;
///     model.write(folder.path());
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/dtype.h"

namespace natscope::test {

struct TinyTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

/// A safetensors file's bytes, written here without the code under test: the data in the given order, without padding.
[[nodiscard]] std::string safetensors_bytes(const std::vector<TinyTensor>& tensors,
                                            const nlohmann::json& metadata = nlohmann::json::object());

/// The same with a header of one's own.
[[nodiscard]] std::string safetensors_bytes(std::string_view header, std::string_view data);

/// Uniform in -scale … scale, from a seed; f32, bf16 or f16.
[[nodiscard]] TinyTensor random_tensor(std::string name, std::vector<std::int64_t> shape, DType dtype,
                                       std::uint64_t seed, float scale);

struct TinyModel {
  /// Llama with score layers: 2 layers, hidden 32, 4 heads, 2 KV heads, head_dim 8, intermediate 48, vocab 300, context
  /// 64, window 4, untied, f32. `overrides` is merged into the config before the weights are made from it.
  explicit TinyModel(const nlohmann::json& overrides = nlohmann::json::object(), DType dtype = DType::f32,
                     std::uint64_t seed = 1);

  nlohmann::json config;
  nlohmann::json generation;        ///< null: no file
  std::vector<TinyTensor> tensors;  ///< in the order of expected_tensors()
  std::string tokenizer;            ///< empty: no file

  [[nodiscard]] TinyTensor& tensor(std::string_view name);
  void remove(std::string_view name);
  /// A base with full attention is what is left.
  void remove_score_layers();

  /// Writes config.json, generation_config.json, model.safetensors and tokenizer.model.
  void write(const std::filesystem::path& folder) const;
};

}  // namespace natscope::test
