// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QMetaObject>
#include <QPointer>
#include <QThreadPool>
#include <memory>
#include <utility>

namespace natscope::ui {

/// Does `work` on another thread and gives what came of it to `then`, on the program's own, if `owner` still lives.
/// `work` must own what it touches: nobody waits for it.
template <class Owner, class Work, class Then>
void elsewhere(Owner* owner, Work work, Then then) {
  QThreadPool::globalInstance()->start([self = QPointer<Owner>(owner), work = std::move(work), then]() mutable {
    auto result = std::make_shared<decltype(work())>(work());
    QMetaObject::invokeMethod(QCoreApplication::instance(), [self, result, then]() mutable {
      if (self) then(*result);
    });
  });
}

}  // namespace natscope::ui
