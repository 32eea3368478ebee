// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "core/base/expected.h"
#include "core/base/unique_descriptor.h"
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
  /// Errors: those of system_error.
  [[nodiscard]] static Expected<RowSpool> create(const std::filesystem::path& folder);

  /// Errors: those of system_error, above all disk_full.
  [[nodiscard]] Expected<void> append(std::span<const float> row);

  /// Hands everything over, in order and in pieces. May be called again. Errors: those of system_error and the
  /// sink.
  [[nodiscard]] Expected<void> produce(const TensorSink& sink) const;

  [[nodiscard]] std::int64_t values() const { return values_; }

 private:
  RowSpool(UniqueDescriptor file, std::filesystem::path folder) : file_(std::move(file)), folder_(std::move(folder)) {}

  UniqueDescriptor file_;
  std::filesystem::path folder_;
  std::int64_t values_ = 0;
};

}  // namespace natscope
