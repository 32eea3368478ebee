// SPDX-License-Identifier: GPL-3.0-or-later
/// An engine on a model made by the test, and what its tests compare.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/engine/engine.h"
#include "tests/core/engine/dense_model.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope::test {

/// A model folder and an engine on it.
struct EngineRun {
  explicit EngineRun(const TinyModel& model, EngineOptions options = {});

  TemporaryFolder folder;
  std::unique_ptr<Engine> engine;
};

/// Ends the test with the error's text.
template <class T>
T value_of(Expected<T> result) {
  if (!result) FAIL(format_error_line(result.error()));
  return std::move(*result);
}
inline void require_ok(const Expected<void>& result) {
  if (!result) FAIL(format_error_line(result.error()));
}

[[nodiscard]] std::vector<std::int32_t> random_tokens(std::size_t count, std::uint64_t seed, std::int32_t vocab = 300);

/// Prefills and returns the logits of every token.
[[nodiscard]] Table<float> prefill_all(Engine& engine, const std::vector<std::int32_t>& tokens, std::int64_t chunk);

/// Largest difference of any number over the largest true number.
[[nodiscard]] double relative_error(const Table<float>& found, const Table<double>& truth, std::size_t first = 0);

/// Roles, held entries and, where there are any, scores of the record against the dense computation.
void check_record(const Engine& engine, const DenseResult& truth);

}  // namespace natscope::test
