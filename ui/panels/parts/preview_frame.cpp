// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/preview_frame.h"

#include <QLabel>
#include <QPixmap>
#include <QVBoxLayout>

namespace natscope::ui {
namespace {

constexpr QSize leastPicture(240, 200);
constexpr QSize usualPicture(420, 420);

}  // namespace

PreviewFrame::PreviewFrame(QWidget* parent) : QWidget(parent), picture_(new QLabel(this)), words_(new QLabel(this)) {
  picture_->setObjectName(QStringLiteral("preview"));
  picture_->setAccessibleName(tr("Preview"));
  picture_->setAlignment(Qt::AlignHCenter | Qt::AlignTop);
  picture_->setMinimumSize(leastPicture);
  // Not as large as its picture: it would grow with every one.
  picture_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Ignored);
  words_->setObjectName(QStringLiteral("muted"));
  words_->setAlignment(Qt::AlignHCenter | Qt::AlignBottom);
  words_->setWordWrap(true);
  words_->setMinimumHeight(2 * words_->fontMetrics().lineSpacing());
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(words_);
  layout->addWidget(picture_, 1);
}

QSize PreviewFrame::sizeHint() const { return usualPicture; }

QSize PreviewFrame::room() const { return (QSizeF(picture_->size()) * devicePixelRatioF()).toSize(); }

void PreviewFrame::setPicture(const QImage& picture, const QString& words) {
  QPixmap pixmap = QPixmap::fromImage(picture);
  pixmap.setDevicePixelRatio(devicePixelRatioF());
  picture_->setPixmap(pixmap);
  words_->setText(words);
}

void PreviewFrame::setWords(const QString& words) {
  picture_->clear();
  words_->setText(words);
}

bool PreviewFrame::hasPicture() const { return !picture_->pixmap(Qt::ReturnByValue).isNull(); }

QString PreviewFrame::words() const { return words_->text(); }

void PreviewFrame::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  Q_EMIT resized();
}

}  // namespace natscope::ui
