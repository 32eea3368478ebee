// SPDX-License-Identifier: GPL-3.0-or-later
/// Value or Error: what every operation returns that can fail for a reason outside the program.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "core/base/error.h"

namespace natscope {

template <class T>
using Expected = tl::expected<T, Error>;

using Unexpected = tl::unexpected<Error>;

/// `return fail(ErrorCode::bad_json, "...")` in a function that returns Expected<T>.
[[nodiscard]] inline Unexpected fail(ErrorCode code, std::string message, std::string hint = {}) {
  return Unexpected(make_error(code, std::move(message), std::move(hint)));
}

}  // namespace natscope

#define NATSCOPE_CONCAT_(a, b) a##b
#define NATSCOPE_CONCAT(a, b) NATSCOPE_CONCAT_(a, b)

/// `NATSCOPE_TRY(auto file, MappedFile::open(path));` declares or assigns the value, or returns the error.
#define NATSCOPE_TRY(declaration, ...)                                                          \
  auto NATSCOPE_CONCAT(natscope_try_, __LINE__) = (__VA_ARGS__);                                \
  if (!NATSCOPE_CONCAT(natscope_try_, __LINE__)) {                                              \
    return ::natscope::Unexpected(std::move(NATSCOPE_CONCAT(natscope_try_, __LINE__)).error()); \
  }                                                                                             \
  declaration = *std::move(NATSCOPE_CONCAT(natscope_try_, __LINE__))

/// The same for Expected<void>, and where the value is not wanted.
#define NATSCOPE_CHECK(...)                                                    \
  do {                                                                         \
    auto natscope_check_result = (__VA_ARGS__);                                \
    if (!natscope_check_result) {                                              \
      return ::natscope::Unexpected(std::move(natscope_check_result).error()); \
    }                                                                          \
  } while (false)
