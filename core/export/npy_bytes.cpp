// SPDX-License-Identifier: GPL-3.0-or-later
#include <limits>
#include <span>
#include <vector>

#include "core/export/data_files.h"
#include "core/export/data_writers.h"

/// numpy's array file, version 1.0. Source: numpy.lib.format (NEP 1).
namespace natscope {
namespace {

/// Everything before the data, padded with blanks so that the data begins at a multiple of 64 bytes.
std::string header(const char* dtype, std::initializer_list<std::int64_t> shape) {
  std::string dictionary = std::string("{'descr': '") + dtype + "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t size : shape) dictionary += std::to_string(size) + ", ";
  dictionary.pop_back();  // the last blank: every shape here has at least two sizes
  dictionary.pop_back();
  dictionary += "), }";
  constexpr std::size_t prelude = 10;  // magic, version, length
  const std::size_t padding = 63 - (prelude + dictionary.size()) % 64;
  dictionary.append(padding, ' ').push_back('\n');
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes.push_back(static_cast<char>(dictionary.size() & 0xffU));
  bytes.push_back(static_cast<char>(dictionary.size() >> 8U));
  return bytes + dictionary;
}

template <class T>
std::string_view raw(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace

Expected<void> write_npy(const FigureData& figure, const TextSink& sink) {
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) {
    const bool is_mask = map->kind == FigureKind::mask;
    NATSCOPE_CHECK(sink(header(is_mask ? "|u1" : "<f4", {map->queries.size(), map->keys.size()})));
    return sink(is_mask ? raw(std::span(map->visible)) : raw(std::span(map->values)));
  }
  if (const auto* map = std::get_if<RoleMap>(&figure.values)) {
    NATSCOPE_CHECK(sink(header("|u1", {map->layers, map->kv_heads, map->length})));
    return sink(raw(std::span(map->roles)));
  }
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values)) {
    NATSCOPE_CHECK(
        sink(header("<f4", {static_cast<std::int64_t>(maps->layers.size()), maps->heads, maps->side, maps->side})));
    return sink(raw(std::span(maps->largest)));
  }
  if (figure.kind == FigureKind::text || figure.kind == FigureKind::vocabulary)
    return check_format(figure.kind, ExportFormat::npy);
  if (const auto* table = std::get_if<FigureTable>(&figure.values)) {
    std::vector<double> values;
    for (const TableCell& cell : table->cells)
      values.push_back(cell.number() != nullptr ? *cell.number() : std::numeric_limits<double>::quiet_NaN());
    const auto columns = static_cast<std::int64_t>(table->columns.size());
    NATSCOPE_CHECK(sink(header("<f8", {static_cast<std::int64_t>(table->rows()), columns})));
    return sink(raw(std::span<const double>(values)));
  }
  if (const auto* map = std::get_if<HeldMap>(&figure.values)) {
    NATSCOPE_CHECK(sink(header("|u1", {map->layers, map->kv_heads, map->counts.tokens})));
    return sink(raw(std::span(map->held_by)));
  }
  const auto& curve = std::get<KvCurve>(figure.values);
  NATSCOPE_CHECK(sink(header("<i4", {curve.length, curve.layers, curve.kv_heads})));
  return sink(raw(std::span(curve.entries)));
}

}  // namespace natscope
