// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/export/figure_data.h"

/// From weights to colours' positions: pure functions, the same for the window and for files.
namespace natscope {

enum class ScaleKind : std::uint8_t { linear, log };
enum class Normalise : std::uint8_t { none, row };

/// The ends of a colour range that somebody chose: 0 <= low < high, on a log scale 0 < low.
struct FixedRange {
  double low = 0;
  double high = 1;

  friend bool operator==(const FixedRange&, const FixedRange&) = default;
};

struct ScaleOptions {
  ScaleKind kind = ScaleKind::linear;
  double clip_percentile = 100;  ///< 0 < p <= 100: the colour range ends at this percentile of the visible cells
  Normalise normalise = Normalise::none;  ///< row: every row is divided by its largest visible weight
  bool hide_sink = false;                 ///< key 0 takes no part in the range and is drawn as hidden
  std::optional<FixedRange> range{};      ///< in place of what the weights and the percentile say

  friend bool operator==(const ScaleOptions&, const ScaleOptions&) = default;
};

/// The values that the ends of the colour bar stand for. With log, low > 0.
struct ScaleRange {
  double low = 0;
  double high = 1;
  ScaleKind kind = ScaleKind::linear;

  friend bool operator==(const ScaleRange&, const ScaleRange&) = default;
};

/// Reads `LO:HI`. Errors: usage (not of that form, or no range on such a scale).
[[nodiscard]] Expected<FixedRange> parse_fixed_range(std::string_view text, ScaleKind kind);
[[nodiscard]] std::string range_text(const FixedRange& range);

/// Where a value lies between low and high, 0 … 1, clamped. A value of 0 on a log scale is 0.
[[nodiscard]] float place(double value, const ScaleRange& range);

/// Rows divided by their largest weight where that is asked for, key 0 masked where it is hidden: what data files hold,
/// too.
[[nodiscard]] Heatmap prepared(const Heatmap& map, const ScaleOptions& options);

/// The same for whatever a figure shows; nothing but weights has a scale.
[[nodiscard]] FigureData prepared(FigureData figure, const ScaleOptions& options);

/// What a file says of how weights became its numbers or colours: normalise and hide_sink where the kind has them, and
/// of a picture (`drawn`: its range) scale, range, the values at the ends of its colours as "low:high", and clip where
/// that decided them.
[[nodiscard]] Metadata scale_metadata(FigureKind kind, const ScaleOptions& options, const ScaleRange* drawn);

/// The range of `values` where `visible` is not 0 (empty `visible`: all): the fixed one where there is one. From 0, or
/// on a log scale from max(smallest positive, high / 10⁴), to the clip percentile (nearest rank); high > low always.
[[nodiscard]] ScaleRange range_of(std::span<const float> values, std::span<const std::uint8_t> visible,
                                  const ScaleOptions& options);

/// The same of weights of which only the upper 16 bits are known, and which are only counted: `counts[bits]` of them.
/// Its ends are those of range_of to 1 part in 128.
[[nodiscard]] ScaleRange range_of_counts(std::span<const std::uint64_t> counts, const ScaleOptions& options);

}  // namespace natscope
