// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/fitting_label.h"

#include <QPainter>
#include <QStyle>

#include "ui/views/fitting_words.h"

namespace natscope::ui {

FittingLabel::FittingLabel(QWidget* parent) : QLabel(parent) {
  setTextFormat(Qt::PlainText);  // a method's name may look like a tag
  setMinimumWidth(1);
}

void FittingLabel::say(const QStringList& choices) {
  choices_ = choices;
  setText(choices.value(0));
  setToolTip(text());
  update();
}

void FittingLabel::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  style()->drawItemText(&painter, contentsRect(), Qt::AlignLeft | Qt::AlignVCenter, palette(), isEnabled(),
                        longestFitting(choices_, fontMetrics(), contentsRect().width()), foregroundRole());
}

}  // namespace natscope::ui
