// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/jobs/log_panel.h"

#include <QTime>

namespace natscope::ui {
namespace {

constexpr int keptLines = 2000;
constexpr qsizetype longestLine = 1000;

}  // namespace

LogPanel::LogPanel(QWidget* parent) : QPlainTextEdit(parent) {
  setReadOnly(true);
  setMaximumBlockCount(keptLines);
  setLineWrapMode(QPlainTextEdit::NoWrap);
  setFrameShape(QFrame::NoFrame);
  setPlaceholderText(tr("What the engine says appears here."));
}

void LogPanel::addLine(const QString& line) {
  appendPlainText(QTime::currentTime().toString(QStringLiteral("HH:mm:ss  ")) + line.left(longestLine));
}

}  // namespace natscope::ui
