// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/data_files.h"
#include "core/export/data_writers.h"

namespace natscope {
namespace {

Expected<void> write_map(const Heatmap& map, const TextSink& sink) {
  std::string text = "query";
  for (std::int32_t key = map.keys.begin; key < map.keys.end; ++key) {
    text += ',';
    append_number(text, key);
  }
  text += '\n';
  std::size_t cell = 0;
  for (std::int32_t query = map.queries.begin; query < map.queries.end; ++query) {
    append_number(text, query);
    for (std::int64_t column = 0; column < map.keys.size(); ++column, ++cell) {
      text += ',';
      if (map.kind == FigureKind::mask)
        append_number(text, static_cast<int>(map.visible[cell]));
      else
        append_number(text, map.values[cell]);
    }
    text += '\n';
    NATSCOPE_CHECK(pass_on(text, sink));
  }
  return sink(text);
}

Expected<void> write_line(std::string& text, std::initializer_list<std::int64_t> numbers, const TextSink& sink) {
  for (const std::int64_t& number : numbers) {
    append_number(text, number);
    text += &number == numbers.end() - 1 ? '\n' : ',';
  }
  return pass_on(text, sink);
}

/// A line for every cell of [layers, kv_heads, length]: where it is, and what `append` says of it.
template <class Map, class Append>
Expected<void> write_cells(std::string text, const Map& map, std::int64_t length, const Append& append,
                           const TextSink& sink) {
  std::size_t at = 0;
  for (std::int32_t layer = 0; layer < map.layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < map.kv_heads; ++kv_head) {
      for (std::int64_t position = 0; position < length; ++position, ++at) {
        for (const std::int64_t number : {std::int64_t{layer}, std::int64_t{kv_head}, position}) {
          append_number(text, number);
          text += ',';
        }
        append(text, at);
        text += '\n';
        NATSCOPE_CHECK(pass_on(text, sink));
      }
    }
  }
  return sink(text);
}

/// Where there are no roles (has_roles), what is held stands beside the roles that are none.
Expected<void> write_roles(const RoleMap& map, bool with_held, const TextSink& sink) {
  return write_cells(
      with_held ? "layer,kv_head,position,role,held\n" : "layer,kv_head,position,role\n", map, map.length,
      [&](std::string& text, std::size_t at) {
        append_number(text, static_cast<int>(map.roles[at]));
        if (with_held) text += map.is_held[at] != 0 ? ",1" : ",0";
      },
      sink);
}

/// Whether each of the two runs holds it.
Expected<void> write_held(const HeldMap& map, const TextSink& sink) {
  return write_cells(
      "layer,kv_head,position,held,compared_held\n", map, map.counts.tokens,
      [&](std::string& text, std::size_t at) {
        const HeldBy by = map.held_by[at];
        text += by == HeldBy::both || by == HeldBy::first ? "1" : "0";
        text += by == HeldBy::both || by == HeldBy::second ? ",1" : ",0";
      },
      sink);
}

Expected<void> write_curve(const KvCurve& curve, const TextSink& sink) {
  std::string text = "step,layer,kv_head,entries\n";
  std::size_t at = 0;
  for (std::int64_t step = 0; step < curve.length; ++step) {
    for (std::int32_t layer = 0; layer < curve.layers; ++layer) {
      for (std::int32_t kv_head = 0; kv_head < curve.kv_heads; ++kv_head, ++at) {
        NATSCOPE_CHECK(write_line(text, {step, layer, kv_head, curve.entries[at]}, sink));
      }
    }
  }
  return sink(text);
}

/// Its position, number and text, each with a comma behind.
void begin_token(std::string& text, const FigureData& figure, std::int64_t position) {
  append_number(text, position);
  text += ',';
  append_number(text, figure.tokens[static_cast<std::size_t>(position)]);
  text += ',' + quoted_field(figure.token_texts[static_cast<std::size_t>(position)]) + ',';
}

Expected<void> write_text(const ColouredText& shown, const FigureData& figure, const TextSink& sink) {
  std::string text = shown.head ? "position,token,text,role,held,held_share\n" : "position,token,text,held_share\n";
  for (std::int64_t i = 0; i < shown.range.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    begin_token(text, figure, shown.range.begin + i);
    if (shown.head) {
      if (!shown.roles.empty()) append_number(text, static_cast<int>(shown.roles[at]));
      text += shown.is_held[at] != 0 ? ",1," : ",0,";
    }
    append_number(text, shown.held_share[at]);
    text += '\n';
    NATSCOPE_CHECK(pass_on(text, sink));
  }
  return sink(text);
}

/// Nothing stands where a loss is not known or does not compare.
Expected<void> write_losses(const LossText& shown, const FigureData& figure, const TextSink& sink) {
  std::string text = "position,token,text,loss";
  text += shown.is_compared() ? ",compared_loss,difference\n" : "\n";
  for (std::int64_t i = 0; i < shown.range.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    begin_token(text, figure, shown.range.begin + i);
    append_known(text, shown.losses[at], "");
    if (shown.is_compared()) {
      text += ',';
      append_known(text, shown.other_losses[at], "");
      text += ',';
      append_known(text, shown.difference(at), "");
    }
    text += '\n';
    NATSCOPE_CHECK(pass_on(text, sink));
  }
  return sink(text);
}

}  // namespace

Expected<void> write_csv(const FigureData& figure, const TextSink& sink) {
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) return write_map(*map, sink);
  if (const auto* map = std::get_if<RoleMap>(&figure.values)) return write_roles(*map, tells_held(figure, *map), sink);
  if (const auto* table = std::get_if<FigureTable>(&figure.values)) return sink(table_text(*table, ','));
  if (std::holds_alternative<HeadOverview>(figure.values)) return check_format(figure.kind, ExportFormat::csv);
  if (const auto* text = std::get_if<ColouredText>(&figure.values)) return write_text(*text, figure, sink);
  if (const auto* text = std::get_if<LossText>(&figure.values)) return write_losses(*text, figure, sink);
  if (const auto* map = std::get_if<HeldMap>(&figure.values)) return write_held(*map, sink);
  return write_curve(std::get<KvCurve>(figure.values), sink);
}

}  // namespace natscope
