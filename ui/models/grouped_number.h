// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLocale>
#include <cstdint>

namespace natscope::ui {

/// 8388608 as 8,388,608: thousands with commas, whatever the user's language does with points.
[[nodiscard]] inline QString groupedNumber(std::int64_t number) {
  return QLocale(QLocale::English, QLocale::UnitedStates).toString(qint64{number});
}

}  // namespace natscope::ui
