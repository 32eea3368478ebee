// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/device/torch_errors.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>

namespace natscope {

Unexpected from_torch(const std::exception& problem) {
  const std::string text = problem.what();
  // LibTorch has a class of exceptions for a GPU's memory and none for its own host allocator.
  const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&problem) != nullptr ||
                      dynamic_cast<const std::bad_alloc*>(&problem) != nullptr ||
                      text.find("alloc") != std::string::npos || text.find("out of memory") != std::string::npos;
  return fail(memory ? ErrorCode::out_of_memory : ErrorCode::internal, "LibTorch: " + text.substr(0, text.find('\n')));
}

}  // namespace natscope
