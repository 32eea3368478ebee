// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/run_bar.h"

#include <QComboBox>
#include <QFocusEvent>
#include <QLabel>
#include <QMenu>
#include <QToolButton>
#include <algorithm>
#include <utility>

#include "ui/models/grouped_number.h"
#include "ui/models/model_label.h"
#include "ui/models/run_facts.h"
#include "ui/panels/parts/labelled_value.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"
#include "ui/views/fitting_words.h"

namespace natscope::ui {
namespace {

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
  device_->setObjectName(QStringLiteral("device"));
  device_->setAccessibleName(tr("Device"));
  device_->addItem(tr("auto"), QStringLiteral("auto"));
  device_->addItem(tr("CPU"), QStringLiteral("cpu"));
  device_->addItem(tr("GPU"), QStringLiteral("cuda"));
  device_->setToolTip(tr("Where the engine computes; a change opens the model again"));
  addWidget(device_);
  addSeparator();
  for (QAction* const action : runActions) {
    addAction(action);
    // A tool bar keeps Tab out of what it makes itself.
    auto* const button = qobject_cast<QToolButton*>(widgetForAction(action));
    button->setFocusPolicy(Qt::TabFocus);
    if (primary_ == nullptr) {
      primary_ = button;
      primary_->setObjectName(QStringLiteral("primary"));
    }
    stop_ = button;
    // When the action is triggered it may be disabled already.
    connect(button, &QToolButton::pressed, this, [this, button] {
      if (button->hasFocus() && button != stop_) began_ = button;
    });
    button->installEventFilter(this);
    // When all of them are what they will be.
    connect(action, &QAction::enabledChanged, this, &RunBar::moveFocus, Qt::QueuedConnection);
  }
  numbers_->setTextFormat(Qt::RichText);
  numbers_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  // A narrow window leaves some of them out; they do not widen it.
  numbers_->setMinimumWidth(1);
  numbers_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  numbers_->installEventFilter(this);
  addWidget(numbers_);
  connect(device_, &QComboBox::activated, this, [this] { workbench_.setDevice(device_->currentData().toString()); });
  connect(&workbench_, &Workbench::stateChanged, this, &RunBar::refresh);
  showThemedIcon(*model_, QStringLiteral("model"));
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, &RunBar::refresh);
  refresh();
}

/// A button that can no longer be pressed gives the keyboard to whatever comes next, the prompt: a second Space would
/// be typed into it, and make it another text.
void RunBar::moveFocus() {
  if (began_ == nullptr) return;
  if (began_->isEnabled()) return std::exchange(began_, nullptr)->setFocus(Qt::OtherFocusReason);
  if (stop_->isEnabled() && !stop_->hasFocus()) stop_->setFocus(Qt::OtherFocusReason);
}

bool RunBar::eventFilter(QObject* watched, QEvent* event) {
  if (watched == numbers_ && event->type() == QEvent::Resize) sayNumbers();
  // Who goes elsewhere in the window meanwhile stays there; a button that is disabled did not send anybody away.
  const auto* const button = qobject_cast<const QToolButton*>(watched);
  if (event->type() == QEvent::FocusOut && button != nullptr && button->isEnabled()) {
    const Qt::FocusReason reason = static_cast<QFocusEvent*>(event)->reason();
    if (reason != Qt::ActiveWindowFocusReason && reason != Qt::PopupFocusReason && reason != Qt::OtherFocusReason)
      began_ = nullptr;
  }
  return QToolBar::eventFilter(watched, event);
}

void RunBar::setDevice(const QString& device) { device_->setCurrentIndex(std::max(0, device_->findData(device))); }

void RunBar::refresh() {
  const EngineClient& client = workbench_.client();
  const QString folder = modelLabel(workbench_.modelPath());
  const bool isRefused = !client.model() && !workbench_.isOpening();
  const QString name = folder.isEmpty() ? tr("no model") : isRefused ? tr("%1, not open").arg(folder) : folder;
  model_->setText(name + QStringLiteral("  ▾"));
  const SequenceRecord& record = client.record();
  const bool isModels = client.model() && !workbench_.recording() && !client.isOfAnotherModel();
  const qint64 context = isModels ? client.model()->context : 0;
  const RunFact held = cacheFact(record);
  setDevice(workbench_.device());
  facts_ = {labelledValue(tr("prefill"), rate(workbench_.prefillRate()) + tr(" tok/s")),
            labelledValue(tr("decode"), rate(workbench_.decodeRate()) + tr(" tok/s")),
            labelledValue(tr("context"), groupedNumber(record.size()) + QStringLiteral(" / ") +
                                             (context > 0 ? groupedNumber(context) : QStringLiteral("–"))),
            labelledValue(held.label, held.value)};
  numbers_->setToolTip(held.meaning);
  sayNumbers();
}

/// As many of the facts as there is room for: how fast it was is left out first, what the cache holds last.
void RunBar::sayNumbers() {
  QString words;
  for (qsizetype first = 0; first < facts_.size(); ++first) {
    words = facts_.mid(first).join(QStringLiteral("&nbsp;&nbsp;&nbsp;")) + QStringLiteral("&nbsp;&nbsp;");
    if (!numbers_->isVisible() || richWidth(words, numbers_->font()) <= numbers_->width()) break;
  }
  if (numbers_->text() != words) numbers_->setText(words);
}

}  // namespace natscope::ui
