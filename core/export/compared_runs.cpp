// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/compared_runs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/export/figures.h"

namespace natscope {
namespace {

constexpr double smallest_widest = 0.05;
constexpr double share_within = 0.98;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

double rounded_up(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (value <= step * decade * (1 + 1e-9)) return step * decade;
  }
  return 10 * decade;
}

Expected<void> check_losses(const SequenceRecord& record, const char* which) {
  const auto is_known = [](const TokenFrame& frame) { return token_loss(frame).has_value(); };
  if (record.size() < 2 || std::ranges::any_of(record.frames(), is_known)) return {};
  return fail(ErrorCode::bad_trace, std::string(which) + " does not hold its tokens' losses",
              "trace again, or give the model and the prompt");
}

FigureData figure_of(FigureKind kind, const RunOf& run, const RunOf* other) {
  FigureData figure{kind, {}, {}, {}, run.provenance};
  add_axis(figure, run.record);
  if (other != nullptr) figure.compared.push_back({{}, other->provenance});
  return figure;
}

}  // namespace

double widest_shown_difference(std::span<const float> differences) {
  std::vector<float> sizes;
  sizes.reserve(differences.size());
  for (const float difference : differences) {
    if (std::isfinite(difference)) sizes.push_back(std::abs(difference));
  }
  if (sizes.empty()) return smallest_widest;
  const auto rank = static_cast<std::ptrdiff_t>(share_within * static_cast<double>(sizes.size() - 1));
  std::nth_element(sizes.begin(), sizes.begin() + rank, sizes.end());
  return rounded_up(std::max(smallest_widest, static_cast<double>(sizes[static_cast<std::size_t>(rank)])));
}

Expected<FigureData> loss_figure(const RunOf& run, const RunOf* other, PositionRange range) {
  NATSCOPE_CHECK(check_range(range, run.record.size()));
  NATSCOPE_CHECK(check_losses(run.record, "the run"));
  LossText text{range, {}, {}, 0};
  for (std::int32_t position = range.begin; position < range.end; ++position)
    text.losses.push_back(token_loss(run.record.frame(TokenPos(position))).value_or(unknown));
  if (other != nullptr) {
    NATSCOPE_CHECK(check_losses(other->record, "the compared run"));
    const std::int64_t common = common_beginning(run.record, other->record);
    // Of one token, which every text begins with, there is no loss.
    if (common < 2)
      return fail(ErrorCode::bad_range, "the compared run is of another text", "compare runs of the same tokens");
    std::vector<float> differences;
    for (std::int32_t position = range.begin; position < range.end; ++position) {
      const bool is_common = position < common;
      text.other_losses.push_back(is_common ? token_loss(other->record.frame(TokenPos(position))).value_or(unknown)
                                            : unknown);
    }
    // Of the whole text, as on screen: parts of it then have the same colours.
    for (std::int32_t position = 0; position < common; ++position) {
      const auto mine = token_loss(run.record.frame(TokenPos(position)));
      const auto others = token_loss(other->record.frame(TokenPos(position)));
      if (mine && others) differences.push_back(static_cast<float>(*mine - *others));
    }
    text.widest_difference = widest_shown_difference(differences);
  }
  FigureData figure = figure_of(FigureKind::text, run, other);
  figure.values = std::move(text);
  return figure;
}

Expected<std::int64_t> tokens_in_common(const SequenceRecord& run, const SequenceRecord& other) {
  const CacheGeometry& mine = run.geometry();
  const CacheGeometry& others = other.geometry();
  if (mine.layers != others.layers || mine.kv_heads != others.kv_heads)
    return fail(ErrorCode::bad_range, "the compared run's model has other layers or KV heads",
                "compare runs of one model");
  const std::int64_t shorter = std::min(run.size(), other.size());
  if (shorter == 0) return fail(ErrorCode::bad_range, "one of the two runs has no token");
  const std::int64_t common = common_beginning(run, other);
  // Every text begins with the same one.
  if (common < std::min<std::int64_t>(shorter, 2))
    return fail(ErrorCode::bad_range, "the compared run is of another text", "compare runs of the same tokens");
  return common;
}

Expected<FigureData> held_figure(const RunOf& run, const RunOf& other) {
  NATSCOPE_CHECK(tokens_in_common(run.record, other.record));
  const auto counts = held_difference(run.record, other.record);
  if (!counts) return fail(ErrorCode::internal, "two caches of one geometry do not compare");
  const CacheGeometry& geometry = run.record.geometry();
  HeldMap map{geometry.layers, geometry.kv_heads, *counts, {}};
  map.held_by.reserve(static_cast<std::size_t>(geometry.layers * geometry.kv_heads * counts->tokens));
  for (std::int32_t layer = 0; layer < map.layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < map.kv_heads; ++kv_head) {
      for (std::int32_t position = 0; position < counts->tokens; ++position)
        map.held_by.push_back(
            held_by(run.record, other.record, LayerId(layer), KvHeadId(kv_head), TokenPos(position), counts->tokens));
    }
  }
  FigureData figure = figure_of(FigureKind::roles, run, &other);
  figure.values = std::move(map);
  return figure;
}

}  // namespace natscope
