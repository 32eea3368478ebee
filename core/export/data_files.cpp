// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/data_files.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/cancel.h"
#include "core/cache/policy.h"
#include "core/export/data_writers.h"

namespace natscope {
namespace {

constexpr std::array<std::pair<const char*, ExportFormat>, 6> endings{{{".npy", ExportFormat::npy},
                                                                       {".csv", ExportFormat::csv},
                                                                       {".json", ExportFormat::json},
                                                                       {".png", ExportFormat::png},
                                                                       {".svg", ExportFormat::svg},
                                                                       {".pdf", ExportFormat::pdf}}};

using Writer = Expected<void> (*)(const FigureData&, const TextSink&);

std::string collected(const FigureData& figure, Writer writer) {
  std::string text;
  // This sink cannot fail.
  (void)writer(figure, [&text](std::string_view piece) -> Expected<void> {
    text += piece;
    return {};
  });
  return text;
}

}  // namespace

Expected<ExportFormat> export_format(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const auto& [known, format] : endings) {
    if (ending == known) return format;
  }
  if (!path.empty() && path.filename().empty()) {
    return fail(ErrorCode::not_a_regular_file, "cannot write " + printable(path.string()) + ": it names a folder",
                "give the path of a plain file");
  }
  return fail(ErrorCode::usage, "the ending of \"" + printable(path.filename().string(), 80) + "\" names no format",
              "end the file's name in .npy, .csv, .json, .png, .svg or .pdf");
}

Expected<ExportFormat> named_format(std::string_view name) {
  for (const auto& [known, format] : endings) {
    if (name == std::string_view(known).substr(1)) return format;
  }
  return fail(ErrorCode::usage, "there is no format \"" + printable(std::string(name), 80) + "\"");
}

bool is_data_format(ExportFormat format) {
  return format == ExportFormat::npy || format == ExportFormat::csv || format == ExportFormat::json;
}

Expected<void> check_format(FigureKind kind, ExportFormat format) {
  if (kind == FigureKind::overview && format == ExportFormat::csv)
    return fail(ErrorCode::usage, "the maps of all heads make no table", "write npy or json, or draw png, svg or pdf");
  if ((kind == FigureKind::text || kind == FigureKind::vocabulary) && format == ExportFormat::npy)
    return fail(ErrorCode::usage, "a text is not an array, nor is a vocabulary",
                "write csv or json, or draw png, svg or pdf");
  return {};
}

bool tells_held(const FigureData& figure, const RoleMap& map) {
  return !has_roles(figure.provenance.policy) && map.is_held.size() == map.roles.size();
}

std::string numbers_text(const std::vector<double>& numbers) {
  std::string text;
  for (const double& number : numbers) {
    if (&number != numbers.data()) text += ',';
    append_known(text, number, "");
  }
  return text;
}

std::string npy_bytes(const FigureData& figure) { return collected(figure, write_npy); }
std::string csv_text(const FigureData& figure) { return collected(figure, write_csv); }
std::string json_text(const FigureData& figure) { return collected(figure, write_json); }

Expected<void> stream_figure_data(const FigureData& figure, ExportFormat format,
                                  const std::function<Expected<void>(std::string_view)>& sink,
                                  const std::stop_token& stop) {
  if (format != ExportFormat::csv && format != ExportFormat::json)
    return fail(ErrorCode::usage, "only csv and json can be passed on", "give --out a file's name for the others");
  NATSCOPE_CHECK(check_format(figure.kind, format));
  return (format == ExportFormat::csv ? write_csv : write_json)(figure, [&](std::string_view piece) -> Expected<void> {
    NATSCOPE_CHECK(check(stop));
    return sink(piece);
  });
}

Expected<void> write_figure_data(const std::filesystem::path& path, const FigureData& figure,
                                 const std::stop_token& stop) {
  NATSCOPE_TRY(const ExportFormat format, export_format(path));
  if (!is_data_format(format)) return fail(ErrorCode::usage, "png, svg and pdf are drawn, not written as numbers");
  NATSCOPE_CHECK(check_format(figure.kind, format));
  const Writer writer = format == ExportFormat::npy ? write_npy : format == ExportFormat::csv ? write_csv : write_json;
  std::vector<FileToWrite> files;
  files.push_back({path, [&](AtomicFile& file) -> Expected<void> {
                     return writer(figure, [&](std::string_view piece) -> Expected<void> {
                       NATSCOPE_CHECK(check(stop));
                       return file.write(piece);
                     });
                   }});
  if (format != ExportFormat::json) {
    std::filesystem::path beside = path;
    beside += ".json";
    // It takes its place first: numbers never lack it.
    files.insert(files.begin(), {beside, [&](AtomicFile& file) -> Expected<void> {
                                   return file.write(metadata_json(figure_metadata(figure)) + "\n");
                                 }});
  }
  return write_files_atomically(files);
}

}  // namespace natscope
