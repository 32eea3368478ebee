// SPDX-License-Identifier: GPL-3.0-or-later
/// Text for a flag that takes a file: from one, from standard input, or from a pipe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "core/base/expected.h"
#include "core/base/unique_descriptor.h"

namespace natscope {

/// The text of `file`: of a plain one, of standard input (`-`), or of a pipe to its end, as a shell's <(zcat book.gz)
/// makes one. Errors: file_too_large (over `max_bytes`), file_not_found, not_a_regular_file, io_failure.
[[nodiscard]] Expected<std::string> read_text_input(const std::string& file, std::uint64_t max_bytes);

/// The same bit by bit, for who may have enough before the end, which a pipe need not have. A plain file is read whole.
class TextInput {
 public:
  /// Errors: those of read_text_input().
  [[nodiscard]] static Expected<TextInput> open(const std::string& file, std::uint64_t max_bytes);

  /// Reads on until there are `bytes` of it, or its end. Errors: file_too_large (over `max_bytes`), io_failure.
  [[nodiscard]] Expected<void> read(std::size_t bytes);

  /// What was read. Before the end its last character may be there in part.
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string take() { return std::move(text_); }
  [[nodiscard]] bool is_whole() const { return descriptor_ < 0; }
  /// As an error names it.
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::string text_;
  std::uint64_t max_bytes_ = 0;
  UniqueDescriptor pipe_;
  int descriptor_ = -1;  // the pipe's or standard input's until its end
};

}  // namespace natscope
