// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/engine/engine_run.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace natscope::test {

EngineRun::EngineRun(const TinyModel& model, EngineOptions options) {
  model.write(folder.path());
  options.model = folder.path();
  engine = value_of(Engine::open(options, {}));
}

std::vector<std::int32_t> random_tokens(std::size_t count, std::uint64_t seed, std::int32_t vocab) {
  std::mt19937_64 random(seed);
  std::vector<std::int32_t> tokens;
  while (tokens.size() < count)
    tokens.push_back(static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(vocab)));
  return tokens;
}

Table<float> prefill_all(Engine& engine, const std::vector<std::int32_t>& tokens, std::int64_t chunk) {
  Table<float> rows;
  PrefillOptions options;
  options.chunk = chunk;
  options.on_logits = [&](TokenPos first, std::int64_t n, std::span<const float> logits) -> Expected<void> {
    CHECK(first.value == static_cast<std::int32_t>(rows.size()));
    const auto vocab = logits.size() / static_cast<std::size_t>(n);
    for (std::int64_t row = 0; row < n; ++row) {
      const auto part = logits.subspan(static_cast<std::size_t>(row) * vocab, vocab);
      rows.emplace_back(part.begin(), part.end());
    }
    return {};
  };
  require_ok(engine.prefill(tokens, options, {}));
  return rows;
}

double relative_error(const Table<float>& found, const Table<double>& truth, std::size_t first) {
  double largest = 0;
  double error = 0;
  for (std::size_t t = 0; t < found.size(); ++t) {
    for (std::size_t i = 0; i < found[t].size(); ++i) {
      const double difference = std::abs(static_cast<double>(found[t][i]) - truth[first + t][i]);
      largest = std::max(largest, std::abs(truth[first + t][i]));
      error = std::isnan(difference) ? INFINITY : std::max(error, difference);
    }
  }
  return error / largest;
}

void check_record(const Engine& engine, const DenseResult& truth) {
  const SequenceRecord& record = engine.record();
  const CacheGeometry& geometry = engine.geometry();
  int wrong_roles = 0;
  int wrong_entries = 0;
  double score_error = 0;
  for (std::int32_t t = 0; t < record.size(); ++t) {
    const TokenFrame& frame = record.frame(TokenPos(t));
    std::int64_t total = 0;
    for (std::int32_t layer = 0; layer < geometry.layers; ++layer) {
      for (std::int32_t head = 0; head < geometry.kv_heads; ++head) {
        const auto l = static_cast<std::size_t>(layer), k = static_cast<std::size_t>(head),
                   at = static_cast<std::size_t>(t);
        const std::size_t index = l * static_cast<std::size_t>(geometry.kv_heads) + k;
        wrong_roles += static_cast<int>(frame.roles[index]) != truth.roles[l][k][at];
        wrong_entries += frame.entries[index] != truth.entries[l][k][at];
        total += truth.entries[l][k][at];
        for (std::size_t option = 0; !frame.scores.empty() && option < 3; ++option) {
          score_error = std::max(score_error, std::abs(static_cast<double>(frame.scores[index * 3 + option]) -
                                                       truth.scores[l][k][at][option]));
        }
      }
    }
    CHECK(frame.counts.entries == total);
    CHECK(frame.counts.live_bytes == total * geometry.entry_bytes());
  }
  CHECK(wrong_roles == 0);
  CHECK(wrong_entries == 0);
  CHECK(score_error < 1e-3);
}

}  // namespace natscope::test
