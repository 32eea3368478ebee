// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <functional>

#include "core/export/head_overview.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// Gathers the exact maps of all heads for one figure, map after map from the engine, without waiting; then it is gone.
/// The text must stay as it is meanwhile. `done` is called once. Errors: bad_range (a run goes on, the text changed),
/// engine_lost, those of empty_overview and of the engine's tiles.
class OverviewFetch : public QObject {
  Q_OBJECT

 public:
  using Done = std::function<void(Expected<HeadOverview> maps)>;
  OverviewFetch(Workbench& workbench, std::optional<LayerId> layer, Done done, QObject* parent);

 private:
  void begin();
  void goOn();
  void end(Expected<HeadOverview> result);

  Workbench& workbench_;
  std::optional<LayerId> layer_;
  Done done_;
  HeadOverview maps_;
  std::vector<TileKey> missing_;  // next one last
  QTimer again_;
};

}  // namespace natscope::ui
