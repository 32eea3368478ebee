// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/figure_data.h"

#include <array>
#include <utility>

#include "core/cache/policy.h"

namespace natscope {
namespace {

constexpr std::array kind_names{"attention", "mask", "roles",      "kv",        "heads",
                                "overview",  "text", "vocabulary", "statistics"};

}  // namespace

const char* name(FigureKind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

std::optional<FigureKind> figure_kind(std::string_view text) {
  for (std::size_t i = 0; i < kind_names.size(); ++i) {
    if (text == kind_names[i]) return static_cast<FigureKind>(i);
  }
  return std::nullopt;
}

Expected<void> compare(FigureData& figure, FigureData other) {
  auto* const curve = std::get_if<KvCurve>(&other.values);
  if (curve == nullptr || !std::holds_alternative<KvCurve>(figure.values)) {
    return fail(ErrorCode::bad_range, "only KV curves stand beside each other");
  }
  if (figure.compared.size() == most_compared) {
    return fail(ErrorCode::bad_range, "more than " + std::to_string(most_compared) + " runs beside one",
                "compare fewer in one figure");
  }
  figure.compared.push_back({std::move(*curve), std::move(other.provenance)});
  return {};
}

Metadata figure_metadata(const FigureData& figure) {
  Metadata all = trace_metadata(figure.provenance);
  for (std::size_t i = 0; i < figure.compared.size(); ++i) {
    for (auto& [key, value] : trace_metadata(figure.compared[i].provenance)) {
      if (key != "format" && key != "version") all["compared_" + std::to_string(i + 1) + "_" + key] = value;
    }
  }
  if (const auto* overview = std::get_if<HeadOverview>(&figure.values)) {
    std::string& layers = all["layers"];
    for (const LayerId layer : overview->layers) layers += (layers.empty() ? "" : ",") + std::to_string(layer.value);
    all["cell_tokens"] = std::to_string(std::int64_t{1} << static_cast<unsigned>(overview->zoom));
    all["tokens"] = std::to_string(overview->tokens);
  }
  all["kind"] = name(figure.kind);
  const auto add_map = [&all](const MapId& map) {
    all["layer"] = std::to_string(map.layer.value);
    all["head"] = std::to_string(map.head.value);
  };
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) {
    add_map({map->layer, map->head});
    all["queries"] = range_text(map->queries);
    all["keys"] = range_text(map->keys);
  }
  if (const auto* losses = std::get_if<LossText>(&figure.values)) {
    all["keys"] = range_text(losses->range);
    all["loss"] = "nats; null or nothing where it is not known or does not compare";
  }
  if (std::holds_alternative<HeldMap>(figure.values))
    all["held_key"] = "0 neither, 1 both, 2 this run only, 3 the compared run only";
  if (figure.head) add_map(*figure.head);
  const auto* text = std::get_if<ColouredText>(&figure.values);
  if (text != nullptr) {
    if (text->head) add_map(*text->head);
    all["keys"] = range_text(text->range);
  }
  const bool has_role_numbers =
      std::holds_alternative<RoleMap>(figure.values) || (text != nullptr && !text->roles.empty());
  if (has_role_numbers && has_roles(figure.provenance.policy)) all["role_key"] = "0 global, 1 local, 2 sliding";
  for (const auto& [key, value] : figure.notes) all[key] = value;
  return all;
}

}  // namespace natscope
