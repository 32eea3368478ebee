// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/figures/figure_export.h"

#include <algorithm>
#include <utility>

#include "core/export/attention_table.h"
#include "core/export/data_files.h"
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

Expected<void> writeFigure(const FigureData& figure, const ExportRequest& request) {
  NATSCOPE_TRY(const ExportFormat format, export_format(request.path));
  FigureOptions options = request.options;
  // Where there are no weights, what was chosen for them says nothing.
  if (figure.kind != FigureKind::attention && figure.kind != FigureKind::overview) {
    const auto range = options.scale.range;  // of losses
    options.scale = {};
    options.scale.range = range;
  }
  if (!is_data_format(format)) return drawFigure(figure, options, request.path);
  return write_figure_data(request.path, prepared(figure, options.scale));
}

}  // namespace

struct FigureExport::Job {
  ExportRequest request;
  FigureData figure;
  std::int32_t rowsDone = 0;
};

FigureExport::FigureExport(Workbench& workbench, QObject* parent) : QObject(parent), workbench_(workbench) {}

void FigureExport::start(const ExportRequest& request) {
  const SequenceRecord& record = workbench_.client().record();
  const auto format = export_format(request.path);
  const auto isWritten = format ? check_format(request.kind, *format) : Expected<void>(Unexpected(format.error()));
  if (!isWritten) {
    Q_EMIT failed(isWritten.error());
    return;
  }
  if (record.size() == 0) {
    Q_EMIT failed(make_error(ErrorCode::bad_range, "there is nothing to export yet", "analyse a text first"));
    return;
  }
  const bool isByToken = is_by_token(request.kind, request.text, request.beside != nullptr);
  if (const auto recording = workbench_.recording(); recording && !request.beside && !isByToken)
    return writeRecorded(recording, request);
  switch (request.kind) {
    case FigureKind::attention:
      return writeWeights(request);
    case FigureKind::overview:
    case FigureKind::statistics:
      return writeOverview(request);
    default:
      return writeOfRun(request);
  }
}

void FigureExport::writeOfRun(const ExportRequest& request) {
  writeElsewhere(
      [request, shown = workbench_.client().session(), heads = workbench_.selection().heads()]() -> Expected<void> {
        const auto kept =
            request.beside ? std::optional(RunOf{request.beside->record, request.beside->provenance}) : std::nullopt;
        NATSCOPE_TRY(const FigureData figure, figure_of_run(request, {shown.record, shown.provenance}, heads,
                                                            kept ? &*kept : nullptr, token_names(shown.token_texts)));
        return writeFigure(figure, request);
      },
      request.path);
}

void FigureExport::writeWeights(const ExportRequest& request) {
  if (const auto fits = check_map_size(request.queries, request.keys); !fits) {
    Q_EMIT failed(fits.error());
    return;
  }
  if (!hasEngine()) return;
  auto job = std::make_shared<Job>();
  job->request = request;
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
  if (const auto hasRoom = outcomeOf(makeRoom); !hasRoom) {
    Q_EMIT failed(hasRoom.error());
    return;
  }
  job->figure.values = std::move(map);
  askForNextRows(job);
}

void FigureExport::writeOverview(const ExportRequest& request) {
  if (!hasEngine()) return;
  new OverviewFetch(
      workbench_, request.layer,
      [this, request](Expected<HeadOverview> maps) {
        if (!maps) {
          Q_EMIT failed(maps.error());
          return;
        }
        auto seen = std::make_shared<HeadOverview>(*std::move(maps));
        writeElsewhere(
            [request, seen, around = figureOfWeights()]() -> Expected<void> {
              Expected<FigureData> figure = overview_figure(std::move(*seen), around);
              if (request.kind == FigureKind::statistics) figure = statistics_figure(*std::move(figure));
              if (!figure) return Unexpected(figure.error());
              return writeFigure(*figure, request);
            },
            request.path);
      },
      this);
}

bool FigureExport::hasEngine() {
  if (workbench_.hasEngineSequence()) return true;
  Q_EMIT failed(make_error(ErrorCode::engine_lost, "the engine that knew this text is gone", "analyse it again first"));
  return false;
}

FigureData FigureExport::figureOfWeights() const {
  const Session shown = workbench_.client().session();
  FigureData figure;
  figure.provenance = shown.provenance;
  add_axis(figure, shown.record);
  name_silent_tokens(figure, token_names(shown.token_texts));
  return figure;
}

void FigureExport::writeRecorded(const std::shared_ptr<const Recording>& recording, const ExportRequest& request) {
  // As `export --from` makes it: from the file alone.
  writeElsewhere(
      [recording, request]() -> Expected<void> {
        NATSCOPE_TRY(const FigureData figure, figure_of_trace(request, recording->trace()));
        return writeFigure(figure, request);
      },
      request.path);
}

void FigureExport::askForNextRows(const std::shared_ptr<Job>& job) {
  const ExportRequest& wanted = job->request;
  WeightsRequestMessage rows;
  rows.layer = wanted.map.layer;
  rows.head = wanted.map.head;
  rows.first_query = TokenPos(wanted.queries.begin + job->rowsDone);
  rows.first_key = TokenPos(wanted.keys.begin);
  rows.keys = static_cast<std::int32_t>(wanted.keys.size());
  rows.queries = std::min(rowsAtOnce(rows.keys), static_cast<std::int32_t>(wanted.queries.size()) - job->rowsDone);
  workbench_.weights().ask(rows, [this, job](const Expected<WeightsMessage>& answer) {
    if (!answer) {
      Q_EMIT failed(answer.error());
      return;
    }
    auto& map = std::get<Heatmap>(job->figure.values);
    map.values.insert(map.values.end(), answer->weights.begin(), answer->weights.end());
    map.visible.insert(map.visible.end(), answer->visible.begin(), answer->visible.end());
    job->rowsDone += answer->request.queries;
    if (job->rowsDone < job->request.queries.size()) return askForNextRows(job);
    write(std::move(job->figure), job->request);
  });
}

void FigureExport::write(FigureData figure, const ExportRequest& request) {
  writeElsewhere([figure = std::move(figure), request] { return writeFigure(figure, request); }, request.path);
}

void FigureExport::writeElsewhere(std::function<Expected<void>()> work, const std::filesystem::path& path) {
  elsewhere(this, std::move(work), [this, path](const Expected<void>& result) {
    if (result) {
      Q_EMIT written(QString::fromStdString(path.string()));
    } else {
      Q_EMIT failed(result.error());
    }
  });
}

}  // namespace natscope::ui
