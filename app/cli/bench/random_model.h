// SPDX-License-Identifier: GPL-3.0-or-later
/// Model folders with random weights of a real shape: speed does not depend on what the weights say.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/expected.h"
#include "kernels/element_type.h"

namespace natscope::bench {

struct ModelShape {
  int layers = 12;
  int heads = 12;
  int kv_heads = 12;
  int hidden = 768;
  int intermediate = 2048;
  int vocab = 50257;
  int context = 16384;

  [[nodiscard]] int head_dim() const { return hidden / heads; }
  /// Elements of all matrices that one decode step reads: the layers and the tied output matrix.
  [[nodiscard]] std::int64_t matrix_elements() const;
};

/// GPT-2-small's size with rotary positions and SwiGLU: 12 layers, 12 heads, hidden 768, 124 M parameters.
inline constexpr ModelShape shape_124m{};

/// A folder that is removed with this object. The tokenizer is the bundled demo's.
class RandomModelFolder {
 public:
  /// Weights N(0, 0.02) stored as `dtype`, a million different ones again and again; no score layers: roles are
  /// injected where they matter. Cost: as fast as OpenMP's threads fill files, a shard a layer; no weights in memory
  /// beside them. Errors: those of writing files; disk_full. `parent`: where the folder is made; empty: TMPDIR.
  [[nodiscard]] static Expected<RandomModelFolder> create(const ModelShape& shape, kernels::ElementType dtype,
                                                          const std::filesystem::path& parent = {});

  RandomModelFolder(RandomModelFolder&& other) noexcept;
  RandomModelFolder& operator=(RandomModelFolder&&) = delete;
  ~RandomModelFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit RandomModelFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace natscope::bench
