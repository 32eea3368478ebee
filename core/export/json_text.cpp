// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/export/data_files.h"
#include "core/export/data_writers.h"

/// {kind, layer, head, queries, keys, values, provenance}: queries and keys are the positions of the rows and columns,
/// null where a kind has none, as are layer and head; of an overview the first positions of its cells. Roles under a
/// policy without them come with held, 1 where a token is held after the last one, in the shape of values. Written in
/// pieces rather than built: a map may have millions of cells.
namespace natscope {
namespace {

std::string positions(std::int64_t begin, std::int64_t end, std::int64_t step = 1) {
  std::string text = "[";
  for (std::int64_t position = begin; position < end; position += step) {
    if (position > begin) text += ',';
    append_number(text, position);
  }
  return text + "]";
}

/// `values` as lists in lists of the given sizes.
template <class T>
Expected<void> write_nested(const std::vector<T>& values, const std::vector<std::int64_t>& shape,
                            const TextSink& sink) {
  std::string text;
  const std::size_t rank = shape.size();
  // How many values an element of each axis has: where lists open and close.
  std::vector<std::size_t> block(rank + 1, 1);
  for (std::size_t axis = rank; axis-- > 0;) block[axis] = block[axis + 1] * static_cast<std::size_t>(shape[axis]);
  if (values.empty()) return sink("[]");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text += ',';
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (i % block[axis] == 0) text += '[';
    }
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isfinite(values[i]))
        append_number(text, values[i]);
      else
        text += "null";  // JSON has no other word for it
    } else {
      append_number(text, static_cast<int>(values[i]));
    }
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if ((i + 1) % block[axis] == 0) text += ']';
    }
    NATSCOPE_CHECK(pass_on(text, sink));
  }
  return sink(text);
}

std::string head_text(const FigureData& figure, const std::string& layer, const std::string& head,
                      const std::string& queries, const std::string& keys) {
  return std::string("{\"kind\":\"") + name(figure.kind) + "\",\"layer\":" + layer + ",\"head\":" + head +
         ",\"queries\":" + queries + ",\"keys\":" + keys + ",\"values\":";
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// One object a row, null where a cell has nothing.
Expected<void> write_table(const FigureTable& table, const TextSink& sink) {
  std::string text = "[";
  for (std::size_t row = 0; row < table.rows(); ++row) {
    text += row == 0 ? "{" : ",{";
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      text += std::string(column == 0 ? "\"" : ",\"") + table.columns[column].key + "\":";
      const TableCell& cell = table.at(row, column);
      if (const double* number = cell.number())
        append_number(text, *number);
      else
        text += cell.text() != nullptr ? quoted(*cell.text()) : "null";
    }
    text += '}';
    NATSCOPE_CHECK(pass_on(text, sink));
  }
  return sink(text + "]");
}

/// One object a token: its number, its text and what `append(text, index)` says of it.
template <class Append>
Expected<void> write_tokens(PositionRange range, const FigureData& figure, const Append& append, const TextSink& sink) {
  std::string text = "[";
  for (std::int64_t i = 0; i < range.size(); ++i) {
    const auto position = static_cast<std::size_t>(range.begin + i);
    text += i == 0 ? "{" : ",{";
    text += "\"token\":";
    append_number(text, figure.tokens[position]);
    text += ",\"text\":" + quoted(figure.token_texts[position]);
    append(text, static_cast<std::size_t>(i));
    text += '}';
    NATSCOPE_CHECK(pass_on(text, sink));
  }
  return sink(text + "]");
}

/// role and held are null without a head.
void append_roles(std::string& text, const ColouredText& shown, std::size_t at) {
  text += ",\"role\":" + (shown.roles.empty() ? "null" : std::to_string(static_cast<int>(shown.roles[at])));
  text += ",\"held\":" + std::string(shown.is_held.empty() ? "null" : shown.is_held[at] != 0 ? "true" : "false");
  text += ",\"held_share\":";
  append_number(text, shown.held_share[at]);
}

/// A token with its loss; null where it is not known or does not compare.
void append_losses(std::string& text, const LossText& shown, std::size_t at) {
  text += ",\"loss\":";
  append_known(text, shown.losses[at], "null");
  if (!shown.is_compared()) return;
  text += ",\"compared_loss\":";
  append_known(text, shown.other_losses[at], "null");
  text += ",\"difference\":";
  append_known(text, shown.difference(at), "null");
}

Expected<void> write_values(const FigureData& figure, const TextSink& sink) {
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) {
    NATSCOPE_CHECK(
        sink(head_text(figure, std::to_string(map->layer.value), std::to_string(map->head.value),
                       positions(map->queries.begin, map->queries.end), positions(map->keys.begin, map->keys.end))));
    const std::vector<std::int64_t> shape{map->queries.size(), map->keys.size()};
    return map->kind == FigureKind::mask ? write_nested(map->visible, shape, sink)
                                         : write_nested(map->values, shape, sink);
  }
  if (const auto* map = std::get_if<RoleMap>(&figure.values)) {
    NATSCOPE_CHECK(sink(head_text(figure, "null", "null", "null", positions(0, map->length))));
    const std::vector<std::int64_t> shape{map->layers, map->kv_heads, map->length};
    NATSCOPE_CHECK(write_nested(map->roles, shape, sink));
    if (!tells_held(figure, *map)) return {};
    NATSCOPE_CHECK(sink(",\"held\":"));
    return write_nested(map->is_held, shape, sink);
  }
  if (const auto* table = std::get_if<FigureTable>(&figure.values)) {
    const auto number = [&](auto of) { return figure.head ? std::to_string(of(*figure.head)) : std::string("null"); };
    NATSCOPE_CHECK(sink(head_text(figure, number([](const MapId& map) { return map.layer.value; }),
                                  number([](const MapId& map) { return map.head.value; }), "null", "null")));
    return write_table(*table, sink);
  }
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values)) {
    const auto rows = static_cast<std::int64_t>(maps->layers.size());
    const std::string cells = positions(0, maps->tokens, std::int64_t{1} << static_cast<unsigned>(maps->zoom));
    NATSCOPE_CHECK(
        sink(head_text(figure, rows == 1 ? std::to_string(maps->layers.front().value) : "null", "null", cells, cells)));
    return write_nested(maps->largest, {rows, maps->heads, maps->side, maps->side}, sink);
  }
  if (const auto* text = std::get_if<ColouredText>(&figure.values)) {
    const auto number = [&](auto of) { return text->head ? std::to_string(of(*text->head)) : std::string("null"); };
    NATSCOPE_CHECK(sink(head_text(figure, number([](const MapId& map) { return map.layer.value; }),
                                  number([](const MapId& map) { return map.head.value; }), "null",
                                  positions(text->range.begin, text->range.end))));
    return write_tokens(
        text->range, figure, [&](std::string& out, std::size_t at) { append_roles(out, *text, at); }, sink);
  }
  if (const auto* text = std::get_if<LossText>(&figure.values)) {
    NATSCOPE_CHECK(sink(head_text(figure, "null", "null", "null", positions(text->range.begin, text->range.end))));
    return write_tokens(
        text->range, figure, [&](std::string& out, std::size_t at) { append_losses(out, *text, at); }, sink);
  }
  if (const auto* map = std::get_if<HeldMap>(&figure.values)) {
    NATSCOPE_CHECK(sink(head_text(figure, "null", "null", "null", positions(0, map->counts.tokens))));
    return write_nested(map->held_by, {map->layers, map->kv_heads, map->counts.tokens}, sink);
  }
  const auto& curve = std::get<KvCurve>(figure.values);
  NATSCOPE_CHECK(sink(head_text(figure, "null", "null", positions(0, curve.length), "null")));
  return write_nested(curve.entries, {curve.length, curve.layers, curve.kv_heads}, sink);
}

}  // namespace

std::string metadata_json(const Metadata& metadata) {
  return nlohmann::json(metadata).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

Expected<void> write_json(const FigureData& figure, const TextSink& sink) {
  NATSCOPE_CHECK(write_values(figure, sink));
  return sink(",\"provenance\":" + metadata_json(figure_metadata(figure)) + "}\n");
}

}  // namespace natscope
