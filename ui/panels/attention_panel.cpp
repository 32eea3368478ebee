// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/attention_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/panels/parts/flow_layout.h"
#include "ui/theme/icons.h"
#include "ui/theme/style_sheet.h"

namespace natscope::ui {

AttentionPanel::AttentionPanel(Workbench& workbench, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      map_(new AttentionMapView(workbench.tiles(), workbench.sequence(), workbench.selection(), this)),
      layer_(new QSpinBox(this)),
      head_(new QSpinBox(this)),
      scale_(new QComboBox(this)),
      value_(new QComboBox(this)),
      colours_(new QComboBox(this)),
      clip_(new QDoubleSpinBox(this)),
      hideSink_(new QCheckBox(tr("hide sink"), this)),
      fit_(new QCheckBox(tr("fit"), this)) {
  drawAsPanel(*this);
  scale_->addItems({tr("linear"), tr("log")});
  scale_->setCurrentIndex(1);
  scale_->setAccessibleName(tr("Scale of the colours"));
  scale_->setToolTip(tr("Scale of the colours (L)"));
  value_->addItems({tr("largest"), tr("mean")});
  value_->setAccessibleName(tr("What a pixel shows"));
  value_->setToolTip(tr("What a pixel shows that stands for several cells (M)"));
  for (const ColourMap map : {ColourMap::viridis, ColourMap::magma, ColourMap::cividis})
    colours_->addItem(QLatin1String(name(map)));
  colours_->setAccessibleName(tr("Colour map"));
  colours_->setToolTip(tr("Colour map"));
  clip_->setRange(50, 100);
  clip_->setDecimals(1);
  clip_->setSingleStep(0.5);
  clip_->setValue(99.5);
  clip_->setSuffix(QStringLiteral(" %"));
  clip_->setToolTip(
      tr("The colours end at this percentile of the visible cells of the whole map; the legend says what a cell is"));
  hideSink_->setToolTip(tr("Leave token 0 out of the colours (H)"));
  fit_->setObjectName(QStringLiteral("fitColours"));
  fit_->setToolTip(tr("Colours for what is in view in place of the whole map: single weights of a long text (F)"));
  layer_->setToolTip(tr("Layer (Alt+Up, Alt+Down)"));
  head_->setToolTip(tr("Query head, and the KV head whose keys and values it shares (Alt+Left, Alt+Right)"));
  auto* const whole = new QToolButton(this);
  whole->setObjectName(QStringLiteral("wholeMap"));
  whole->setAccessibleName(tr("Show the whole map"));
  showThemedIcon(*whole, QStringLiteral("whole"));
  whole->setToolTip(tr("Show the whole map (0, or double click)"));

  auto* const bar = new FlowLayout;
  bar->setContentsMargins(8, 5, 8, 2);
  bar->setSpacing(6);
  // A label stays with its field when the row goes on below.
  const auto add = [&](const QString& label, QWidget* field) {
    auto* const both = new QWidget(this);
    auto* const words = new QLabel(label, both);
    words->setObjectName(QStringLiteral("muted"));
    words->setBuddy(field);
    auto* const line = new QHBoxLayout(both);
    line->setContentsMargins(0, 0, 0, 0);
    line->setSpacing(5);
    line->addWidget(words);
    line->addWidget(field);
    bar->addWidget(both);
  };
  add(tr("layer"), layer_);
  add(tr("head"), head_);
  bar->addWidget(whole);
  bar->addWidget(scale_);
  add(tr("clip"), clip_);
  bar->addWidget(value_);
  bar->addWidget(colours_);
  bar->addWidget(hideSink_);
  bar->addWidget(fit_);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(bar);
  layout->addWidget(map_, 1);

  for (QComboBox* const box : {scale_, value_, colours_})
    connect(box, &QComboBox::currentIndexChanged, this, &AttentionPanel::applyStyle);
  connect(clip_, &QDoubleSpinBox::valueChanged, this, &AttentionPanel::applyStyle);
  connect(hideSink_, &QCheckBox::toggled, this, &AttentionPanel::applyStyle);
  connect(fit_, &QCheckBox::toggled, map_, &AttentionMapView::setFitsView);
  connect(whole, &QToolButton::clicked, map_, &AttentionMapView::showWhole);
  connect(layer_, &QSpinBox::valueChanged, this,
          [this](int layer) { workbench_.selection().setLayer(LayerId(layer)); });
  connect(head_, &QSpinBox::valueChanged, this, [this](int head) { workbench_.selection().setHead(HeadId(head)); });
  connect(&workbench_.selection(), &Selection::headChanged, this, &AttentionPanel::followSelection);
  connect(&workbench_.search(), &TokenSearch::jumped, map_, &AttentionMapView::showKey);
  connect(&workbench_, &Workbench::stateChanged, map_, qOverload<>(&QWidget::update));  // whether there can be a map
  followSelection();
  applyStyle();
}

void AttentionPanel::followSelection() {
  const Selection& selection = workbench_.selection();
  const QSignalBlocker quietLayer(layer_);
  const QSignalBlocker quietHead(head_);
  layer_->setRange(0, std::max(0, selection.layers() - 1));
  head_->setRange(0, std::max(0, selection.heads() - 1));
  layer_->setValue(selection.layer().value);
  head_->setValue(selection.head().value);
  // Roles and cache are the KV head's.
  head_->setSuffix(selection.heads() == selection.kvHeads() ? QString() : tr(" (KV %1)").arg(selection.kvHead().value));
}

void AttentionPanel::applyStyle() {
  MapStyle style = map_->mapStyle();
  style.scale.kind = scale_->currentIndex() == 1 ? ScaleKind::log : ScaleKind::linear;
  style.scale.clip_percentile = clip_->value();
  style.scale.hide_sink = hideSink_->isChecked();
  style.value = value_->currentIndex() == 1 ? CellValue::mean : CellValue::maximum;
  style.colours = colour_map(colours_->currentText().toStdString()).value_or(ColourMap::viridis);
  map_->setMapStyle(style);
  Q_EMIT styleChanged(style);
}

void AttentionPanel::toggleLog() { scale_->setCurrentIndex(1 - scale_->currentIndex()); }
void AttentionPanel::toggleMean() { value_->setCurrentIndex(1 - value_->currentIndex()); }
void AttentionPanel::toggleSink() { hideSink_->toggle(); }
void AttentionPanel::toggleFit() { fit_->toggle(); }

}  // namespace natscope::ui
