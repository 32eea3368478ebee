// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QTest>
#include <algorithm>
#include <optional>

#include "core/session/trace_sequence.h"
#include "tests/ui/patience.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// What `trace --attention` would write of the run on screen, as a file. Empty where the engine or the disk failed.
inline QString recordPresentRun(Workbench& bench, const MapId& map, const QString& path) {
  const SequenceRecord record = bench.sequence().record();
  std::optional<WeightsMessage> weights;
  WeightsRequestMessage request;
  request.layer = map.layer;
  request.head = map.head;
  request.first_query = request.first_key = TokenPos(0);
  request.queries = request.keys = static_cast<std::int32_t>(record.size());
  bench.weights().ask(request, [&](const Expected<WeightsMessage>& answer) {
    if (answer) weights = *answer;
  });
  if (!QTest::qWaitFor([&] { return weights.has_value(); }, patience)) return {};
  TraceContent content;
  content.record = &record;
  content.provenance = bench.client().provenance();
  content.provenance.maps = {map};
  content.prompt_tokens = bench.client().promptTokens();
  content.with_scores = true;
  content.map_rows = [&](const MapId&, TokenPos first, std::int64_t n, std::span<float> values,
                         std::span<std::uint8_t> visible) -> Expected<void> {
    const auto from = static_cast<std::ptrdiff_t>(first.value * record.size());
    const auto count = static_cast<std::ptrdiff_t>(n * record.size());
    std::copy_n(weights->weights.begin() + from, count, values.begin());
    std::copy_n(weights->visible.begin() + from, count, visible.begin());
    return {};
  };
  return write_trace(path.toStdString(), content) ? path : QString();
}

}  // namespace natscope::ui
