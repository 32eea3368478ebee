// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/workbench.h"

namespace natscope::ui {

/// The cache from three sides: its numbers against tokens, what each head holds, how often each role was given.
class CachePanel : public QWidget {
  Q_OBJECT

 public:
  explicit CachePanel(Workbench& workbench, QWidget* parent = nullptr);
};

}  // namespace natscope::ui
