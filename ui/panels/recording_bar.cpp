// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/recording_bar.h"

#include <QHBoxLayout>

namespace natscope::ui {

RecordingBar::RecordingBar(Workbench& workbench, QWidget* parent)
    : QWidget(parent), workbench_(workbench), words_(new QLabel(this)), leave_(new QToolButton(this)) {
  setObjectName(QStringLiteral("recordingBar"));
  setAttribute(Qt::WA_StyledBackground);
  words_->setTextFormat(Qt::RichText);
  words_->setWordWrap(true);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  words_->setMinimumWidth(1);
  leave_->setText(tr("back to the model"));
  leave_->setObjectName(QStringLiteral("framed"));
  leave_->setToolTip(tr("Analyse the prompt with the open model and show that (Ctrl+Return)"));
  connect(leave_, &QToolButton::clicked, &workbench_, &Workbench::analyse);
  auto* const layout = new QHBoxLayout(this);
  layout->setContentsMargins(12, 4, 8, 4);
  layout->addWidget(words_, 1);
  layout->addWidget(leave_, 0, Qt::AlignTop);
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, &RecordingBar::refresh);
  connect(&workbench_, &Workbench::stateChanged, this, &RecordingBar::refresh);
  hide();
}

void RecordingBar::refresh() {
  const auto recording = workbench_.recording();
  leave_->setEnabled(workbench_.canAnalyse());
  setVisible(recording != nullptr);
  if (std::exchange(shown_, recording.get()) == recording.get() || !recording) return;
  const auto name = QString::fromStdString(recording->path().filename().string());
  words_->setText(QStringLiteral("<b>%1</b> %2 <br><span style='font-size:small'>%3</span>")
                      .arg(tr("Recording: no engine runs for it."), name.toHtmlEscaped(),
                           recording->summary().toHtmlEscaped()));
  words_->setToolTip(QString::fromStdString(recording->path().string()));
}

}  // namespace natscope::ui
