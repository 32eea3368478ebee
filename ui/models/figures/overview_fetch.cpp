// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/figures/overview_fetch.h"

#include <algorithm>
#include <utility>

namespace natscope::ui {
namespace {

/// What was asked for may be forgotten when the map on screen moves: it is asked for again.
constexpr int askAgainMs = 200;

Error changedText() {
  return make_error(ErrorCode::bad_range, "the text changed while the maps of its heads were gathered",
                    "export again when it stands");
}

}  // namespace

OverviewFetch::OverviewFetch(Workbench& workbench, std::optional<LayerId> layer, Done done, QObject* parent)
    : QObject(parent), workbench_(workbench), layer_(layer), done_(std::move(done)) {
  connect(&workbench_.tiles(), &TileSource::arrived, this, &OverviewFetch::goOn);
  connect(&workbench_.tiles(), &TileSource::reset, this, [this] { end(Unexpected(changedText())); });
  connect(&workbench_.client(), &EngineClient::failed, this, [this](const Error& error) { end(Unexpected(error)); });
  connect(&again_, &QTimer::timeout, this, &OverviewFetch::goOn);
  again_.setInterval(askAgainMs);
  QTimer::singleShot(0, this, &OverviewFetch::begin);
}

void OverviewFetch::begin() {
  if (workbench_.isRunning()) {
    return end(fail(ErrorCode::bad_range, "the text still grows: the maps of its heads can be written when it stands",
                    "stop the run, or wait for its end"));
  }
  const SequenceRecord& record = workbench_.client().record();
  auto layers = overview_layers(layer_, record.geometry().layers);
  if (!layers) return end(Unexpected(layers.error()));
  auto maps =
      empty_overview(*std::move(layers), workbench_.selection().heads(), record.geometry().kv_heads, record.size());
  if (!maps) return end(Unexpected(maps.error()));
  maps_ = *std::move(maps);
  for (const LayerId layer : maps_.layers) {
    for (std::int32_t head = 0; head < maps_.heads; ++head)
      missing_.push_back(overview_tile(layer, HeadId(head), maps_.tokens));
  }
  std::reverse(missing_.begin(), missing_.end());
  again_.start();
  goOn();
}

void OverviewFetch::goOn() {
  while (done_ && !missing_.empty()) {
    if (!workbench_.hasEngineSequence())
      return end(fail(ErrorCode::engine_lost, "the engine that knew this text is gone", "analyse it again first"));
    if (workbench_.tiles().tokens() != maps_.tokens) return end(Unexpected(changedText()));
    const auto tile = workbench_.tiles().tile(missing_.back());
    if (!tile || tile->tokens != maps_.tokens) return;
    if (const auto taken = put(maps_, *tile); !taken) return end(Unexpected(taken.error()));
    missing_.pop_back();
  }
  if (maps_.side > 0) end(std::move(maps_));
}

void OverviewFetch::end(Expected<HeadOverview> result) {
  if (const Done done = std::exchange(done_, nullptr)) {
    again_.stop();
    done(std::move(result));
    deleteLater();
  }
}

}  // namespace natscope::ui
