// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/figure_export.h"

#include <QCoreApplication>
#include <QPointer>
#include <QThreadPool>
#include <algorithm>

#include "core/export/attention_table.h"
#include "core/export/data_files.h"
#include "ui/models/elsewhere.h"
#include "ui/models/overview_fetch.h"

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

std::optional<MapId> headOf(const ExportRequest& request) {
  const bool isOfOneHead =
      request.kind == FigureKind::vocabulary ? request.isOfOneHead : request.text == TextColours::roles;
  return isOfOneHead ? std::optional(request.map) : std::nullopt;
}

/// What is known of each token, alone or beside the kept run.
bool isByToken(const ExportRequest& request) {
  return (request.kind == FigureKind::text && request.text == TextColours::losses) ||
         (request.kind == FigureKind::roles && request.beside);
}

Expected<FigureData> recordedFigure(const Recording& recording, const ExportRequest& request) {
  if (request.kind == FigureKind::overview) return overview_from_trace(recording.trace(), request.layer);
  if (request.kind == FigureKind::statistics) return statistics_from_trace(recording.trace(), request.layer);
  if (request.kind == FigureKind::text) return text_from_trace(recording.trace(), headOf(request), request.keys);
  if (request.kind == FigureKind::vocabulary) return vocabulary_from_trace(recording.trace(), headOf(request));
  return figure_from_trace(recording.trace(), request.kind, request.map, range_text(request.queries),
                           range_text(request.keys));
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
  if (isByToken(request)) return writeByToken(request);
  if (const auto recording = workbench_.recording(); recording && !request.beside)
    return writeRecorded(recording, request);
  switch (request.kind) {
    case FigureKind::heads:
      return write(heads_figure(record, workbench_.client().provenance()), request);
    case FigureKind::roles:
      return write(named(roles_figure(record, workbench_.client().provenance())), request);
    case FigureKind::kv:
      return writeCurve(request);
    case FigureKind::mask:
    case FigureKind::vocabulary:
    case FigureKind::text: {
      const int heads = workbench_.selection().heads();
      const Provenance& provenance = workbench_.client().provenance();
      auto figure = request.kind == FigureKind::mask
                        ? mask_figure(record, heads, request.map, request.queries, request.keys, provenance)
                    : request.kind == FigureKind::text
                        ? text_figure(record, heads, headOf(request), request.keys, provenance)
                        : vocabulary_figure(record, heads, headOf(request), provenance, [this](std::int32_t token) {
                            return workbench_.client().tokenText(token).toStdString();
                          });
      if (!figure) {
        Q_EMIT failed(figure.error());
        return;
      }
      return write(named(std::move(*figure)), request);
    }
    case FigureKind::attention:
    case FigureKind::overview:
    case FigureKind::statistics:
      break;
  }
  if (!workbench_.hasEngineSequence()) {
    Q_EMIT failed(
        make_error(ErrorCode::engine_lost, "the engine that knew this text is gone", "analyse it again first"));
    return;
  }
  if (request.kind != FigureKind::attention) return writeOverview(request);
  auto job = std::make_shared<Job>();
  job->request = request;
  job->figure = named(roles_figure(record, workbench_.client().provenance()));  // tokens and their texts
  job->figure.kind = FigureKind::attention;
  job->figure.provenance.maps = {request.map};
  Heatmap map;
  map.layer = request.map.layer;
  map.head = request.map.head;
  map.queries = request.queries;
  map.keys = request.keys;
  const auto cells = static_cast<std::size_t>(map.queries.size() * map.keys.size());
  map.values.reserve(cells);
  map.visible.reserve(cells);
  job->figure.values = std::move(map);
  askForNextRows(job);
}

void FigureExport::writeOverview(const ExportRequest& request) {
  new OverviewFetch(
      workbench_, request.layer,
      [this, request](Expected<HeadOverview> maps) {
        if (!maps) {
          Q_EMIT failed(maps.error());
          return;
        }
        FigureData origin = named(roles_figure(workbench_.client().record(), workbench_.client().provenance()));
        Expected<FigureData> figure = overview_figure(*std::move(maps), std::move(origin));
        if (request.kind == FigureKind::statistics) figure = statistics_figure(*std::move(figure));
        if (!figure) {
          Q_EMIT failed(figure.error());
          return;
        }
        write(*std::move(figure), request);
      },
      this);
}

void FigureExport::writeCurve(const ExportRequest& request) {
  FigureData figure = kv_figure(workbench_.client().record(), workbench_.client().provenance());
  if (request.beside) {
    const auto compared = compare(figure, kv_figure(request.beside->record, request.beside->provenance));
    if (!compared) {
      Q_EMIT failed(compared.error());
      return;
    }
  }
  write(std::move(figure), request);
}

void FigureExport::writeByToken(const ExportRequest& request) {
  const EngineClient& client = workbench_.client();
  const RunOf shown{client.record(), client.provenance()};
  const auto kept =
      request.beside ? std::optional(RunOf{request.beside->record, request.beside->provenance}) : std::nullopt;
  auto figure = request.kind == FigureKind::roles ? held_figure(shown, *kept)
                                                  : loss_figure(shown, kept ? &*kept : nullptr, request.keys);
  if (!figure) {
    Q_EMIT failed(figure.error());
    return;
  }
  write(named(std::move(*figure)), request);
}

FigureData FigureExport::named(FigureData figure) const {
  name_silent_tokens(figure, [this](std::int32_t token) { return workbench_.client().tokenText(token).toStdString(); });
  return figure;
}

void FigureExport::writeRecorded(const std::shared_ptr<const Recording>& recording, const ExportRequest& request) {
  // As `export --from` makes it: from the file alone.
  elsewhere(
      this,
      [recording, request]() -> Expected<void> {
        NATSCOPE_TRY(const FigureData figure, recordedFigure(*recording, request));
        return writeFigure(figure, request);
      },
      [this, path = request.path](const Expected<void>& result) {
        if (result) {
          Q_EMIT written(QString::fromStdString(path.string()));
        } else {
          Q_EMIT failed(result.error());
        }
      });
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
  const QPointer<FigureExport> self(this);
  QThreadPool::globalInstance()->start([self, figure = std::move(figure), request] {
    const Expected<void> result = writeFigure(figure, request);
    // The exporter may be gone by now: that is looked at on its own thread, to which the program's object belongs too.
    QMetaObject::invokeMethod(QCoreApplication::instance(), [self, result, path = request.path] {
      if (!self) return;
      if (result) {
        Q_EMIT self->written(QString::fromStdString(path.string()));
      } else {
        Q_EMIT self->failed(result.error());
      }
    });
  });
}

}  // namespace natscope::ui
