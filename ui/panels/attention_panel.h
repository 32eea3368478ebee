// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/workbench.h"
#include "ui/views/maps/attention_map_view.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QSpinBox;

namespace natscope::ui {

/// The attention map with its controls: layer, head, scale, clipping, sink, colours.
class AttentionPanel : public QWidget {
  Q_OBJECT

 public:
  explicit AttentionPanel(Workbench& workbench, QWidget* parent = nullptr);

  [[nodiscard]] AttentionMapView& map() { return *map_; }

  void toggleLog();
  void toggleMean();
  void toggleSink();
  void toggleFit();

 Q_SIGNALS:
  void styleChanged(const natscope::ui::MapStyle& style);

 private:
  void applyStyle();
  void followSelection();

  Workbench& workbench_;
  AttentionMapView* map_;
  QSpinBox* layer_;
  QSpinBox* head_;
  QComboBox* scale_;
  QComboBox* value_;
  QComboBox* colours_;
  QDoubleSpinBox* clip_;
  QCheckBox* hideSink_;
  QCheckBox* fit_;
};

}  // namespace natscope::ui
