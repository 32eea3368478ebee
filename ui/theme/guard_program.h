// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QApplication>
#include <algorithm>

namespace natscope::ui {

/// Shows every event of the program first to a `Guard`, an event filter that belongs to it. Where it has one already
/// nothing changes.
template <class Guard>
void guardProgram(QApplication& application) {
  const auto isOne = [](const QObject* child) { return dynamic_cast<const Guard*>(child) != nullptr; };
  if (std::ranges::any_of(application.children(), isOne)) return;
  application.installEventFilter(new Guard(&application));
}

}  // namespace natscope::ui
