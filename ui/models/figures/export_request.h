// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <memory>

#include "core/export/figure_request.h"
#include "ui/figure/figure.h"
#include "ui/models/runs/run_comparison.h"

namespace natscope::ui {

/// What is to be written, and where.
struct ExportRequest : FigureRequest {
  FigureOptions options;
  /// The kept run, or null. kv, drawn: in the same figure; roles: which of the two caches holds what; text of losses:
  /// how they differ.
  std::shared_ptr<const KeptRun> beside;
  std::filesystem::path path;  ///< its ending says the format: png, svg, pdf, csv, npy, json
};

}  // namespace natscope::ui
