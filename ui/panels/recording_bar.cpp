// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/recording_bar.h"

#include <QHBoxLayout>

#include "ui/models/model_label.h"
#include "ui/theme/style_sheet.h"

namespace natscope::ui {

RecordingBar::RecordingBar(Workbench& workbench, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      words_(new QLabel(this)),
      leave_(new QToolButton(this)),
      back_(new QToolButton(this)) {
  setObjectName(QStringLiteral("recordingBar"));
  setAttribute(Qt::WA_StyledBackground);
  words_->setTextFormat(Qt::RichText);
  words_->setWordWrap(true);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  words_->setMinimumWidth(1);
  drawWithFrame(*leave_);
  connect(leave_, &QToolButton::clicked, this, &RecordingBar::goBack);
  drawWithFrame(*back_);
  back_->setText(tr("back to the previous run"));
  connect(back_, &QToolButton::clicked, &workbench_, &Workbench::showRunBefore);
  auto* const layout = new QHBoxLayout(this);
  layout->setContentsMargins(12, 4, 8, 4);
  layout->addWidget(words_, 1);
  layout->addWidget(leave_, 0, Qt::AlignTop);
  layout->addWidget(back_, 0, Qt::AlignTop);
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, &RecordingBar::refresh);
  connect(&workbench_, &Workbench::stateChanged, this, &RecordingBar::refresh);
  hide();
}

void RecordingBar::refresh() {
  const auto recording = workbench_.recording();
  const bool isOthers = workbench_.client().isOfAnotherModel();
  const bool hasBefore = workbench_.runBefore() != nullptr;
  leave_->setEnabled(workbench_.canAnalyse() || (recording && hasBefore));
  back_->setVisible(hasBefore && !recording);
  setVisible(recording != nullptr || isOthers);
  if (recording) sayRecording(*recording);
  if (isOthers) sayOtherModel();
}

void RecordingBar::sayRecording(const Recording& recording) {
  const auto name = QString::fromStdString(recording.path().filename().string());
  words_->setText(
      QStringLiteral("<b>%1</b> %2 <br><span style='font-size:small'>%3</span>")
          .arg(tr("Recording: no engine runs for it."), name.toHtmlEscaped(), recording.summary().toHtmlEscaped()));
  words_->setToolTip(QString::fromStdString(recording.path().string()));
  leave_->setText(tr("back to the model"));
  leave_->setToolTip(workbench_.runBefore() != nullptr
                         ? tr("Show the run again that was shown before, with everything that it had written")
                         : tr("Analyse the prompt with the open model and show that (Ctrl+Return)"));
  leave_->show();
}

void RecordingBar::sayOtherModel() {
  const QString shown = QString::fromStdString(workbench_.client().shownModel());
  words_->setText(
      tr("<b>Shown: a run of %1.</b> Open: %2. Text, roles and counts are that run's; for its maps, and to go "
         "on with it, open its model.")
          .arg(shown.isEmpty() ? tr("a model whose folder is not known") : modelLabel(shown).toHtmlEscaped(),
               modelLabel(workbench_.modelPath()).toHtmlEscaped()));
  words_->setToolTip(shown);
  leave_->setText(tr("open that model"));
  leave_->setToolTip(shown);
  leave_->setVisible(!shown.isEmpty() && shown != workbench_.modelPath());
}

void RecordingBar::goBack() {
  if (workbench_.recording() && workbench_.runBefore() != nullptr) {
    workbench_.showRunBefore();
  } else if (workbench_.recording()) {
    workbench_.analyse();
  } else {
    workbench_.openModelOfShown();
  }
}

}  // namespace natscope::ui
