// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPointF>
#include <QWheelEvent>
#include <cmath>
#include <utility>

namespace natscope::ui {

/// Of one notch of the wheel, and of one press of + or −.
inline constexpr double zoomPerStep = 1.25;

/// By how much a turn of the wheel zooms; below 1 it zooms out.
[[nodiscard]] inline double zoomOf(const QWheelEvent& event) {
  constexpr double notch = 120;  // of angleDelta()
  return std::pow(zoomPerStep, event.angleDelta().y() / notch);
}

/// A button of the mouse that is held: a click, until it has moved farther than a hand that holds still. Then it is a
/// drag to its end, wherever it ends.
class Press {
 public:
  void begin(QPointF at) {
    begun_ = last_ = at;
    isHeld_ = true;
    isDrag_ = false;
  }
  /// Wherever the cursor goes, held or not. Returns how far it went since the last call.
  QPointF move(QPointF at) {
    constexpr double slack = 4;
    isDrag_ = isDrag_ || (isHeld_ && (at - begun_).manhattanLength() > slack);
    return at - std::exchange(last_, at);
  }
  /// Returns whether it was a click.
  bool end() { return std::exchange(isHeld_, false) && !isDrag_; }

  [[nodiscard]] bool isHeld() const { return isHeld_; }
  [[nodiscard]] bool isDrag() const { return isHeld_ && isDrag_; }

 private:
  QPointF begun_;
  QPointF last_;
  bool isHeld_ = false;
  bool isDrag_ = false;
};

}  // namespace natscope::ui
