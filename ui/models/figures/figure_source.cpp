// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/figures/figure_source.h"

#include <QPointer>
#include <algorithm>
#include <utility>

#include "core/export/attention_table.h"
#include "core/export/figures.h"
#include "ui/models/elsewhere.h"
#include "ui/models/figures/overview_fetch.h"

namespace natscope::ui {
namespace {

/// Rows that one request to the engine may have.
std::int32_t rowsAtOnce(std::int64_t keys) {
  return static_cast<std::int32_t>(
      std::max<std::int64_t>(1, max_rectangle_cells / 4 / std::max<std::int64_t>(1, keys)));
}

}  // namespace

struct FigureSource::Job {
  Wish wish;
  FigureData figure;
  std::int32_t rowsDone = 0;
};

FigureSource::FigureSource(Workbench& workbench, QObject* parent) : QObject(parent), workbench_(workbench) {}

void FigureSource::make(const ExportRequest& request, Use use, Done done, std::function<bool()> isWanted) {
  Wish wish{request, std::move(use), std::move(done), std::move(isWanted)};
  if (workbench_.client().record().size() == 0) {
    wish.done(fail(ErrorCode::bad_range, "there is nothing to export yet", "analyse a text first"));
    return;
  }
  const bool isByToken = is_by_token(request.kind, request.text, request.beside != nullptr);
  if (const auto recording = workbench_.recording(); recording && !request.beside && !isByToken)
    return makeRecorded(recording, std::move(wish));
  switch (request.kind) {
    case FigureKind::attention:
      return makeOfWeights(std::move(wish));
    case FigureKind::overview:
    case FigureKind::statistics:
      return makeOverview(std::move(wish));
    default:
      return makeOfRun(std::move(wish));
  }
}

void FigureSource::makeOfRun(Wish wish) {
  makeElsewhere(
      [request = wish.request, shown = workbench_.client().session(),
       heads = workbench_.selection().heads()]() -> Expected<FigureData> {
        const auto kept =
            request.beside ? std::optional(RunOf{request.beside->record, request.beside->provenance}) : std::nullopt;
        return figure_of_run(request, {shown.record, shown.provenance}, heads, kept ? &*kept : nullptr,
                             token_names(shown.token_texts));
      },
      wish);
}

void FigureSource::makeOfWeights(Wish wish) {
  const ExportRequest& request = wish.request;
  if (const auto fits = check_map_size(request.queries, request.keys); !fits)
    return wish.done(Unexpected(fits.error()));
  if (const auto isThere = checkEngine(); !isThere) return wish.done(Unexpected(isThere.error()));
  auto job = std::make_shared<Job>();
  job->figure = figureOfWeights();
  job->figure.kind = FigureKind::attention;
  job->figure.provenance.maps = {request.map};
  Heatmap map{FigureKind::attention, request.map.layer, request.map.head, request.queries, request.keys, {}, {}};
  const auto cells = static_cast<std::size_t>(map.queries.size() * map.keys.size());
  const auto makeRoom = [&map, cells]() -> Expected<void> {
    map.values.reserve(cells);
    map.visible.reserve(cells);
    return {};
  };
  if (const auto hasRoom = outcomeOf(makeRoom); !hasRoom) return wish.done(Unexpected(hasRoom.error()));
  job->figure.values = std::move(map);
  job->wish = std::move(wish);
  askForNextRows(job);
}

void FigureSource::makeOverview(Wish wish) {
  if (const auto isThere = checkEngine(); !isThere) return wish.done(Unexpected(isThere.error()));
  new OverviewFetch(
      workbench_, wish.request.layer,
      [this, wish](Expected<HeadOverview> maps) {
        if (!maps) return wish.done(Unexpected(maps.error()));
        auto seen = std::make_shared<HeadOverview>(*std::move(maps));
        makeElsewhere(
            [kind = wish.request.kind, seen, around = figureOfWeights()]() -> Expected<FigureData> {
              Expected<FigureData> figure = overview_figure(std::move(*seen), around);
              if (figure && kind == FigureKind::statistics) return statistics_figure(*std::move(figure));
              return figure;
            },
            wish);
      },
      this);
}

Expected<void> FigureSource::checkEngine() const {
  if (workbench_.hasEngineSequence()) return {};
  return fail(ErrorCode::engine_lost, "the engine that knew this text is gone", "analyse it again first");
}

FigureData FigureSource::figureOfWeights() const {
  const Session shown = workbench_.client().session();
  FigureData figure;
  figure.provenance = shown.provenance;
  add_axis(figure, shown.record);
  name_silent_tokens(figure, token_names(shown.token_texts));
  return figure;
}

void FigureSource::makeRecorded(const std::shared_ptr<const Recording>& recording, Wish wish) {
  // As `export --from` makes it: from the file alone.
  makeElsewhere([recording, request = wish.request] { return figure_of_trace(request, recording->trace()); }, wish);
}

void FigureSource::askForNextRows(const std::shared_ptr<Job>& job) {
  if (job->wish.isWanted && !job->wish.isWanted())
    return job->wish.done(fail(ErrorCode::interrupted, "it is not wanted any more"));
  const ExportRequest& wanted = job->wish.request;
  WeightsRequestMessage rows;
  rows.layer = wanted.map.layer;
  rows.head = wanted.map.head;
  rows.first_query = TokenPos(wanted.queries.begin + job->rowsDone);
  rows.first_key = TokenPos(wanted.keys.begin);
  rows.keys = static_cast<std::int32_t>(wanted.keys.size());
  rows.queries = std::min(rowsAtOnce(rows.keys), static_cast<std::int32_t>(wanted.queries.size()) - job->rowsDone);
  workbench_.weights().ask(rows, [self = QPointer(this), job](const Expected<WeightsMessage>& answer) {
    if (!self) return;
    if (!answer) return job->wish.done(Unexpected(answer.error()));
    auto& map = std::get<Heatmap>(job->figure.values);
    map.values.insert(map.values.end(), answer->weights.begin(), answer->weights.end());
    map.visible.insert(map.visible.end(), answer->visible.begin(), answer->visible.end());
    job->rowsDone += answer->request.queries;
    if (job->rowsDone < job->wish.request.queries.size()) return self->askForNextRows(job);
    self->makeElsewhere([job]() -> Expected<FigureData> { return std::move(job->figure); }, job->wish);
  });
}

void FigureSource::makeElsewhere(std::function<Expected<FigureData>()> make, Wish wish) {
  elsewhere(
      this,
      [make = std::move(make), use = wish.use]() -> Expected<void> {
        NATSCOPE_TRY(FigureData figure, make());
        return use(std::move(figure));
      },
      [done = wish.done](const Expected<void>& result) { done(result); });
}

}  // namespace natscope::ui
