// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <utility>

#include "ui/models/elsewhere.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// Reads a file on another thread and gives what it holds, or why it cannot be read, to `then`: if `owner` still lives
/// and nothing newer was asked for meanwhile. `workbench` lives as long as `owner`.
template <class Owner, class Read, class Then>
void readElsewhere(Owner* owner, Workbench& workbench, const QString& path, Read read, Then then) {
  const quint64 number = workbench.beginReading(path);
  elsewhere(owner, std::move(read), [&workbench, number, then = std::move(then)](auto& outcome) mutable {
    if (workbench.endReading(number)) then(outcome);
  });
}

}  // namespace natscope::ui
