// SPDX-License-Identifier: GPL-3.0-or-later
/// The flags of export, and which of them go with which kind and source.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/commands/recorded_run.h"
#include "app/cli/flags/figure_flags.h"
#include "core/export/data_files.h"
#include "core/export/figure_request.h"
#include "core/export/scale.h"

namespace natscope {

struct ExportFlags {
  RecordedRunFlags run;
  std::string kind;
  std::string out;
  std::string format;  ///< empty: by the ending of `out`
  std::string from;
  std::vector<std::string> compared;
  std::int32_t layer = 0;
  std::int32_t head = 0;
  std::optional<std::string> queries;
  std::optional<std::string> keys;
  std::string scale = "linear";
  double clip = 100;
  std::optional<std::string> range;
  std::string normalise = "none";
  bool hide_sink = false;
  bool surprise = false;
  double dpi = 300;
  std::optional<double> width;  ///< points
  std::int32_t cell = 0;
  std::string theme = "light";
  std::string colours = "viridis";
  std::string axes = "auto";
  std::string unit = "bytes";
  FigureFlags figure;
  CLI::Option* layer_option = nullptr;
  CLI::Option* head_option = nullptr;

  void add_to(CLI::App& command);

  /// Of an overview: the layer that was asked for, or none for all.
  [[nodiscard]] std::optional<LayerId> one_layer() const {
    return layer_option->count() > 0 ? std::optional(LayerId(layer)) : std::nullopt;
  }
  /// Of a text: the head that was asked for, or none for all.
  [[nodiscard]] std::optional<MapId> one_head() const {
    return layer_option->count() + head_option->count() > 0 ? std::optional(map()) : std::nullopt;
  }
  /// What the colours of a text tell.
  [[nodiscard]] TextColours text() const {
    if (surprise) return TextColours::losses;
    return one_head() ? TextColours::roles : TextColours::held_shares;
  }
  [[nodiscard]] MapId map() const { return {LayerId(layer), HeadId(head)}; }
  /// check_flags looked at the range.
  [[nodiscard]] ScaleOptions scale_options() const;

 private:
  void add_what(CLI::App& command);
  void add_part(CLI::App& command);
  void add_colours(CLI::App& command);
  void add_drawing(CLI::App& command);
};

/// How `out` is to be written: as --format says, or its ending. Errors: usage (neither says it, they differ, a stream
/// of what only a file can be).
[[nodiscard]] Expected<ExportFormat> chosen_format(const ExportFlags& options);

/// What contradicts itself must not look as if it had been heeded: flags of a run beside a file of one, flags of
/// another kind of figure with another value than their default. What is only needless (a layer for all roles) is
/// remarked on stderr. Errors: usage.
[[nodiscard]] Expected<void> check_flags(const ExportFlags& options, FigureKind kind, ExportFormat format);

}  // namespace natscope
