// SPDX-License-Identifier: GPL-3.0-or-later
/// Where what LibTorch throws becomes an error.
#pragma once

#include <exception>

#include "core/base/error.h"
#include "core/base/expected.h"

namespace natscope {

/// What LibTorch threw, by the first line of its message: out_of_memory, or internal.
[[nodiscard]] Unexpected from_torch(const std::exception& problem);

/// What is said where there is no memory for the work.
struct MemoryWords {
  const char* message;
  const char* hint;
};

/// What `work` returns, or throws: out_of_memory in those words, internal in the first line of LibTorch's.
template <class Work>
[[nodiscard]] auto without_exceptions(const MemoryWords& words, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& problem) {
    Unexpected error = from_torch(problem);
    if (error.value().code == ErrorCode::out_of_memory)
      return fail(ErrorCode::out_of_memory, words.message, words.hint);
    return error;
  }
}

}  // namespace natscope
