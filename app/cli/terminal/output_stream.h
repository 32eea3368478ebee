// SPDX-License-Identifier: GPL-3.0-or-later
/// Where a result goes that is passed on as it comes: standard output, a pipe, a device. Nothing can be written whole
/// or not at all there, so plain files are for core/base/atomic_file.h.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "core/base/expected.h"
#include "core/base/unique_descriptor.h"

namespace natscope {

/// "-", /dev/stdout and its like, and whatever exists under that name and is neither a plain file nor a folder.
[[nodiscard]] bool is_stream(const std::string& out);

class OutputStream {
 public:
  /// Waits for a pipe's reader. Errors: interrupted, those of system_error.
  [[nodiscard]] static Expected<OutputStream> open(const std::string& out, const std::stop_token& stop);

  /// Errors: disk_full, io_failure.
  [[nodiscard]] Expected<void> write(std::string_view text);

  /// Then stdout has no room for anything else.
  [[nodiscard]] bool is_standard_output() const { return is_standard_output_; }

 private:
  std::string name_;
  UniqueDescriptor descriptor_;
  bool is_standard_output_ = false;
};

}  // namespace natscope
