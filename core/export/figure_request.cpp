// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/figure_request.h"

#include "core/export/figures.h"

namespace natscope {
namespace {

Expected<FigureData> curve_of_runs(const RunOf& run, const RunOf* other) {
  FigureData figure = kv_figure(run.record, run.provenance);
  if (other != nullptr) NATSCOPE_CHECK(compare(figure, kv_figure(other->record, other->provenance)));
  return figure;
}

Expected<FigureData> text_of_run(const FigureRequest& request, const RunOf& run, std::int32_t heads,
                                 const RunOf* other) {
  if (request.text == TextColours::losses) return loss_figure(run, other, request.keys);
  return text_figure(run.record, heads, request.one_head(), request.keys, run.provenance);
}

Expected<FigureData> unnamed_figure(const FigureRequest& request, const RunOf& run, std::int32_t heads,
                                    const RunOf* other, const TokenNames& name_of) {
  switch (request.kind) {
    case FigureKind::mask:
      return mask_figure(run.record, heads, request.map, request.queries, request.keys, run.provenance);
    case FigureKind::roles:
      return other != nullptr ? held_figure(run, *other) : roles_figure(run.record, run.provenance);
    case FigureKind::kv:
      return curve_of_runs(run, other);
    case FigureKind::heads:
      return heads_figure(run.record, run.provenance);
    case FigureKind::text:
      return text_of_run(request, run, heads, other);
    case FigureKind::vocabulary:
      return vocabulary_figure(run.record, heads, request.one_head(), run.provenance, name_of);
    case FigureKind::attention:
    case FigureKind::overview:
    case FigureKind::statistics:
      break;
  }
  return fail(ErrorCode::internal, std::string(name(request.kind)) + " is of weights, which a record does not hold");
}

}  // namespace

std::optional<MapId> FigureRequest::one_head() const {
  const bool has_one =
      kind == FigureKind::vocabulary ? is_of_one_head : kind == FigureKind::text && text == TextColours::roles;
  return has_one ? std::optional(map) : std::nullopt;
}

bool is_by_token(FigureKind kind, TextColours text, bool has_other) {
  return (kind == FigureKind::text && text == TextColours::losses) || (kind == FigureKind::roles && has_other);
}

Expected<FigureData> figure_of_run(const FigureRequest& request, const RunOf& run, std::int32_t heads,
                                   const RunOf* other, const TokenNames& name_of) {
  NATSCOPE_TRY(FigureData figure, unnamed_figure(request, run, heads, other, name_of));
  name_silent_tokens(figure, name_of);
  return figure;
}

}  // namespace natscope
