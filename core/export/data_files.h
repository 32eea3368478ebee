// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/base/expected.h"
#include "core/export/figure_data.h"

/// Figures as numbers: npy, csv, json. Every file is written atomically.
namespace natscope {

enum class ExportFormat : std::uint8_t { npy, csv, json, png, svg, pdf };

/// By the file's ending, in any case. Errors: usage (none or an unknown one; names those that are known).
[[nodiscard]] Expected<ExportFormat> export_format(const std::filesystem::path& path);
/// npy, csv and json: written here. The others are drawn by ui/figure.
[[nodiscard]] bool is_data_format(ExportFormat format);

/// By its name: "csv". Errors: usage.
[[nodiscard]] Expected<ExportFormat> named_format(std::string_view name);

/// Whether figures of this kind are written so. Errors: usage (maps of all heads make no table, a text no array).
[[nodiscard]] Expected<void> check_format(FigureKind kind, ExportFormat format);

/// Provenance as one JSON object, all values strings.
[[nodiscard]] std::string metadata_json(const Metadata& metadata);
/// With commas between, in the shortest digits that read back to the same; nothing where a number is none.
[[nodiscard]] std::string numbers_text(const std::vector<double>& numbers);

/// The texts that are written, without writing them.
[[nodiscard]] std::string npy_bytes(const FigureData& figure);  ///< format version 1.0
[[nodiscard]] std::string csv_text(const FigureData& figure);   ///< shortest digits that read back to the same number
[[nodiscard]] std::string json_text(const FigureData& figure);

/// csv and json piece by piece, for what is no file; of a csv the provenance is nowhere then.
/// Errors: usage (another format), interrupted, those of `sink`.
[[nodiscard]] Expected<void> stream_figure_data(const FigureData& figure, ExportFormat format,
                                                const std::function<Expected<void>(std::string_view)>& sink,
                                                const std::stop_token& stop = {});

/// Writes `path`, and beside npy and csv `path` + ".json" with the provenance: both or, after a failure, neither.
/// Errors: usage (a drawn format), interrupted, those of write_files_atomically.
[[nodiscard]] Expected<void> write_figure_data(const std::filesystem::path& path, const FigureData& figure,
                                               const std::stop_token& stop = {});

}  // namespace natscope
