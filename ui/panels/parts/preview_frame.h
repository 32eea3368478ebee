// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>

class QLabel;

namespace natscope::ui {

/// Where a picture is shown before it is written, with what there is to know about it above.
class PreviewFrame : public QWidget {
  Q_OBJECT

 public:
  explicit PreviewFrame(QWidget* parent = nullptr);

  /// Device pixels that a picture may have.
  [[nodiscard]] QSize room() const;
  void setPicture(const QImage& picture, const QString& words);
  /// In place of a picture.
  void setWords(const QString& words);
  [[nodiscard]] bool hasPicture() const;
  [[nodiscard]] QString words() const;
  [[nodiscard]] QSize sizeHint() const override;

 Q_SIGNALS:
  void resized();

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  QLabel* picture_;
  QLabel* words_;
};

}  // namespace natscope::ui
