// SPDX-License-Identifier: GPL-3.0-or-later
/// Where LibTorch's exceptions become errors. Private to core/train.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "core/base/error.h"
#include "core/base/expected.h"

namespace natscope::train {

/// What is said where there is no memory for the work.
struct MemoryWords {
  const char* message;
  const char* hint;
};

/// What `work` returns, or throws: out_of_memory in those words, internal in the first line of LibTorch's.
template <class Work>
auto without_exceptions(const MemoryWords& words, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, words.message, words.hint);
  } catch (const std::exception& problem) {
    const std::string text = problem.what();
    // LibTorch has a class of exceptions for a GPU's memory and none for its own host allocator.
    if (text.find("alloc") != std::string::npos || text.find("out of memory") != std::string::npos)
      return fail(ErrorCode::out_of_memory, words.message, words.hint);
    return fail(ErrorCode::internal, "LibTorch: " + text.substr(0, text.find('\n')));
  }
}

}  // namespace natscope::train
