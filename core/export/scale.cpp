// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/scale.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/export/number_text.h"

namespace natscope {
namespace {

/// The dynamic range of a log scale at most: four decades below the highest value. Weights that are smaller still are
/// many, and would leave few colours to those that matter.
constexpr double max_log_range = 1e4;

/// Nearest rank: the smallest value that at least p percent of all do not exceed.
float percentile(std::vector<float>& values, double p) {
  const double rank = std::ceil(p / 100.0 * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::clamp(rank - 1.0, 0.0, static_cast<double>(values.size() - 1)));
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

ScaleRange range_between(double high, double largest, double smallest_positive, const ScaleOptions& options) {
  // A clip that leaves only zeros would draw nothing: the largest value there is takes its place, or 1.
  if (!(high > 0)) high = largest > 0 ? largest : 1.0;
  if (options.kind == ScaleKind::linear) return {0.0, high, options.kind};
  double low = std::max(smallest_positive, high / max_log_range);
  if (!(low < high)) low = high / 10.0;
  return {low, high, options.kind};
}

void divide_rows(Heatmap& map) {
  const auto columns = static_cast<std::size_t>(map.keys.size());
  for (std::size_t begin = 0; begin + columns <= map.values.size() && columns > 0; begin += columns) {
    float largest = 0;
    for (std::size_t i = begin; i < begin + columns; ++i) {
      if (map.visible[i] != 0) largest = std::max(largest, map.values[i]);
    }
    if (!(largest > 0)) continue;
    for (std::size_t i = begin; i < begin + columns; ++i) map.values[i] /= largest;
  }
}

void hide_key_0(Heatmap& map) {
  if (map.keys.begin > 0 || map.keys.size() == 0) return;
  const auto columns = static_cast<std::size_t>(map.keys.size());
  for (std::size_t i = 0; i < map.values.size(); i += columns) {
    map.values[i] = 0;
    map.visible[i] = 0;
  }
}

}  // namespace

Expected<FixedRange> parse_fixed_range(std::string_view text, ScaleKind kind) {
  const std::size_t colon = text.find(':');
  FixedRange range;
  const auto read = [](std::string_view part, double& value) {
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), value);
    return problem == std::errc{} && end == part.data() + part.size() && std::isfinite(value);
  };
  if (colon == std::string_view::npos || !read(text.substr(0, colon), range.low) ||
      !read(text.substr(colon + 1), range.high)) {
    return fail(ErrorCode::usage, "\"" + printable(std::string(text), 40) + "\" is not a range",
                "write it as LO:HI, two numbers");
  }
  if (range.low < 0 || range.low >= range.high)
    return fail(ErrorCode::usage, "a range goes from 0 or more to a larger number");
  if (kind == ScaleKind::log && range.low <= 0)
    return fail(ErrorCode::usage, "a log scale cannot begin at 0", "begin the range above it, for example 1e-4:1");
  return range;
}

std::string range_text(const FixedRange& range) {
  std::string text;
  append_number(text, range.low);
  text += ':';
  append_number(text, range.high);
  return text;
}

float place(double value, const ScaleRange& range) {
  double share = 0;
  if (range.kind == ScaleKind::linear) {
    share = (value - range.low) / (range.high - range.low);
  } else if (value > 0) {
    share = std::log(value / range.low) / std::log(range.high / range.low);
  }
  return share > 0 ? static_cast<float>(std::min(share, 1.0)) : 0.0F;  // NaN is 0
}

Heatmap prepared(const Heatmap& map, const ScaleOptions& options) {
  Heatmap result = map;
  // The sink goes first: what is hidden must not be what a row is divided by.
  if (options.hide_sink) hide_key_0(result);
  if (options.normalise == Normalise::row && map.kind == FigureKind::attention) divide_rows(result);
  return result;
}

Metadata scale_metadata(FigureKind kind, const ScaleOptions& options, const ScaleRange* drawn) {
  Metadata all;
  const bool has_weights = kind == FigureKind::attention || kind == FigureKind::overview;
  if (kind == FigureKind::attention) all["normalise"] = options.normalise == Normalise::row ? "row" : "none";
  if (has_weights || kind == FigureKind::mask) all["hide_sink"] = options.hide_sink ? "true" : "false";
  if (!has_weights || drawn == nullptr) return all;
  all["scale"] = drawn->kind == ScaleKind::log ? "log" : "linear";
  if (!options.range) append_number(all["clip"], options.clip_percentile);
  all["range"] = range_text(FixedRange{drawn->low, drawn->high});
  return all;
}

FigureData prepared(FigureData figure, const ScaleOptions& options) {
  figure.notes.merge(scale_metadata(figure.kind, options, nullptr));
  if (auto* const map = std::get_if<Heatmap>(&figure.values)) *map = prepared(*map, options);
  if (auto* const maps = std::get_if<HeadOverview>(&figure.values)) *maps = prepared(std::move(*maps), options);
  return figure;
}

ScaleRange range_of(std::span<const float> values, std::span<const std::uint8_t> visible, const ScaleOptions& options) {
  if (options.range) return {options.range->low, options.range->high, options.kind};
  std::vector<float> shown;
  shown.reserve(values.size());
  float smallest_positive = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if ((!visible.empty() && visible[i] == 0) || !std::isfinite(values[i])) continue;
    shown.push_back(values[i]);
    if (values[i] > 0) smallest_positive = std::min(smallest_positive, values[i]);
  }
  if (shown.empty()) return range_between(1, 1, smallest_positive, options);
  const double high = percentile(shown, options.clip_percentile);
  return range_between(high, *std::max_element(shown.begin(), shown.end()), smallest_positive, options);
}

ScaleRange range_of_counts(std::span<const std::uint64_t> counts, const ScaleOptions& options) {
  if (options.range) return {options.range->low, options.range->high, options.kind};
  const auto weight = [](std::size_t bits) {
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U));
  };
  const auto all = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  double smallest_positive = std::numeric_limits<double>::infinity();
  if (!(all > 0)) return range_between(1, 1, smallest_positive, options);
  const double rank = std::max(1.0, std::ceil(options.clip_percentile / 100.0 * all));
  double high = 0;
  double largest = 0;
  std::uint64_t before = 0;
  for (std::size_t bits = 0; bits < counts.size(); ++bits) {
    if (counts[bits] == 0 || !std::isfinite(weight(bits))) continue;
    if (static_cast<double>(before) < rank) high = weight(bits);
    before += counts[bits];
    largest = weight(bits);
    if (bits > 0) smallest_positive = std::min(smallest_positive, largest);
  }
  return range_between(high, largest, smallest_positive, options);
}

}  // namespace natscope
