// SPDX-License-Identifier: GPL-3.0-or-later
/// Text for a flag that takes a file: from one, from standard input, or from a pipe.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/expected.h"

namespace natscope {

/// The text of `file`: of a plain one, of standard input (`-`), or of a pipe to its end, as a shell's <(zcat book.gz)
/// makes one. Errors: file_too_large (over `max_bytes`), file_not_found, not_a_regular_file, io_failure.
[[nodiscard]] Expected<std::string> read_text_input(const std::string& file, std::uint64_t max_bytes);

}  // namespace natscope
