// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/run_bar.h"

#include <QComboBox>
#include <QLabel>
#include <QLocale>
#include <QMenu>
#include <QToolButton>
#include <algorithm>

#include "ui/models/grouped_number.h"
#include "ui/models/model_label.h"
#include "ui/models/run_facts.h"
#include "ui/panels/labelled_value.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

/// Thousands with commas, whatever the user's language does with points.
QLocale plain() { return QLocale(QLocale::English, QLocale::UnitedStates); }

QString rate(double tokensPerSecond) { return tokensPerSecond > 0 ? speedText(tokensPerSecond) : QStringLiteral("–"); }

}  // namespace

RunBar::RunBar(Workbench& workbench, QMenu* modelMenu, const QList<QAction*>& runActions, QWidget* parent)
    : QToolBar(tr("Run"), parent),
      workbench_(workbench),
      model_(new QToolButton(this)),
      device_(new QComboBox(this)),
      primary_(nullptr),
      numbers_(new QLabel(this)) {
  setObjectName(QStringLiteral("runBar"));
  setMovable(false);
  setContextMenuPolicy(Qt::PreventContextMenu);
  setIconSize(QSize(16, 16));
  setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  model_->setMenu(modelMenu);
  model_->setPopupMode(QToolButton::InstantPopup);
  model_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  model_->setToolTip(tr("The model: open a folder, a recent one or the demo; or drop a folder on the window"));
  addWidget(model_);
  device_->addItem(tr("auto"), QStringLiteral("auto"));
  device_->addItem(tr("CPU"), QStringLiteral("cpu"));
  device_->addItem(tr("GPU"), QStringLiteral("cuda"));
  device_->setToolTip(tr("Where the engine computes; a change opens the model again"));
  addWidget(device_);
  addSeparator();
  for (QAction* const action : runActions) {
    addAction(action);
    // A tool bar keeps Tab out of what it makes itself.
    if (QWidget* const button = widgetForAction(action)) button->setFocusPolicy(Qt::TabFocus);
    if (primary_ == nullptr) {
      primary_ = qobject_cast<QToolButton*>(widgetForAction(action));
      if (primary_ != nullptr) primary_->setObjectName(QStringLiteral("primary"));
    }
  }
  auto* const space = new QWidget(this);
  space->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  addWidget(space);
  numbers_->setTextFormat(Qt::RichText);
  addWidget(numbers_);
  connect(device_, &QComboBox::activated, this, [this] { workbench_.setDevice(device_->currentData().toString()); });
  connect(&workbench_, &Workbench::stateChanged, this, &RunBar::refresh);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &RunBar::paintInTheme);
  paintInTheme();
}

void RunBar::setDevice(const QString& device) { device_->setCurrentIndex(std::max(0, device_->findData(device))); }

void RunBar::paintInTheme() {
  model_->setIcon(themedIcon(QStringLiteral("model")));
  refresh();
}

void RunBar::refresh() {
  const EngineClient& client = workbench_.client();
  const QString folder = modelLabel(workbench_.modelPath());
  model_->setText((folder.isEmpty() ? tr("no model") : folder) + QStringLiteral("  ▾"));
  const SequenceRecord& record = client.record();
  const bool isModels = client.model() && !workbench_.recording() && !client.isOfAnotherModel();
  const qint64 context = isModels ? client.model()->context : 0;
  const RunFact held = cacheFact(record);
  setDevice(workbench_.device());
  numbers_->setText(
      QStringList{labelledValue(tr("prefill"), rate(workbench_.prefillRate()) + tr(" tok/s")),
                  labelledValue(tr("decode"), rate(workbench_.decodeRate()) + tr(" tok/s")),
                  labelledValue(tr("context"), plain().toString(record.size()) + QStringLiteral(" / ") +
                                                   (context > 0 ? plain().toString(context) : QStringLiteral("–"))),
                  labelledValue(held.label, held.value)}
          .join(QStringLiteral("&nbsp;&nbsp;&nbsp;")) +
      QStringLiteral("&nbsp;&nbsp;"));
  numbers_->setToolTip(held.meaning);
}

}  // namespace natscope::ui
