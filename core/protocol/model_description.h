// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/cache/accounting.h"
#include "core/cache/cache_dtype.h"
#include "core/sampling/sampler.h"
#include "kernels/element_type.h"

namespace natscope {

/// What a person wants to know about an open model: everything that `info` shows, and what the window needs besides.
struct ModelDescription {
  std::string path;     ///< as it was opened
  std::string adapter;  ///< empty without one
  std::string architecture;
  std::int32_t layers = 0;
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  std::int32_t hidden = 0;
  std::int32_t vocab = 0;
  std::int64_t context = 0;
  std::optional<std::int32_t> asked_context;  ///< `context`, where it was asked for
  bool nats = false;                          ///< has score layers
  std::optional<std::int64_t> window;         ///< W of the nats block
  std::optional<double> global_bias;
  std::optional<double> lambda;         ///< λ of training (sparse_regularized_value), where the folder records it
  std::string training_policy;          ///< the fixed mask it was trained under, as parse_policy takes it; empty: none
  std::int64_t parameters = 0;          ///< tied weights once, score layers included
  std::int64_t weight_bytes = 0;        ///< as stored
  std::int64_t kv_bytes_per_token = 0;  ///< full attention at `dtype`
  kernels::ElementType dtype = kernels::ElementType::f32;  ///< of activations and cache
  std::string tokenizer;                                   ///< "bpe", "unigram", …
  bool chats = false;                                      ///< the folder has a chat template
  std::string device;                                      ///< "cpu" or "cuda"
  std::int32_t threads = 0;
  /// What generation_config.json asks for; what it does not set, and the seed, has the program's default.
  SamplingOptions sampling;
  /// SHA-256 of the weight files; empty until the engine has read them all (it is sent later, as `identity`).
  std::string sha256;

  [[nodiscard]] CacheGeometry geometry() const { return {layers, kv_heads, head_dim, dtype}; }

  friend bool operator==(const ModelDescription&, const ModelDescription&) = default;
};

}  // namespace natscope
