// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "core/base/expected.h"
#include "core/io/safetensors_writer.h"

namespace natscope {

/// Rows that come while a model runs and are written out afterwards, when their number is known: logits. They wait in a
/// file without a name in the target's folder, so memory does not grow with them and a kill leaves nothing behind.
///
///   NATSCOPE_TRY(auto spool, RowSpool::create(out.parent_path()));
///   prefill.on_logits = [&](TokenPos, std::int64_t, std::span<const float> rows) { return spool.append(rows); };
///   content.logits = [&](const TensorSink& sink) { return spool.produce(sink); };
class RowSpool {
 public:
  /// Errors: io_failure, file_not_found.
  [[nodiscard]] static Expected<RowSpool> create(const std::filesystem::path& folder);

  RowSpool(RowSpool&& other) noexcept;
  RowSpool& operator=(RowSpool&& other) noexcept;
  ~RowSpool();

  /// Errors: disk_full, io_failure.
  [[nodiscard]] Expected<void> append(std::span<const float> row);

  /// Hands everything over, in order and in pieces. May be called again. Errors: io_failure, those of the sink.
  [[nodiscard]] Expected<void> produce(const TensorSink& sink) const;

  [[nodiscard]] std::int64_t values() const { return values_; }

 private:
  explicit RowSpool(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
  std::int64_t values_ = 0;
};

}  // namespace natscope
