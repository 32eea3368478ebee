// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QMetaObject>
#include <QPointer>
#include <QThreadPool>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "core/base/expected.h"

namespace natscope::ui {

template <class T>
struct OutcomeOf {
  using Type = Expected<T>;
};
template <class T>
struct OutcomeOf<Expected<T>> {
  using Type = Expected<T>;
};

/// What `work` returns, as an Expected if it is none, with what it threw as an error of its own.
/// Errors: those of `work`, out_of_memory, internal.
template <class Work>
auto outcomeOf(Work& work) -> typename OutcomeOf<decltype(work())>::Type {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "there is not enough memory for this");
  } catch (const std::exception& problem) {
    return fail(ErrorCode::internal, problem.what());
  } catch (...) {
    return fail(ErrorCode::internal, "an unknown exception was thrown");
  }
}

/// Does `work` on another thread and gives what came of it (outcomeOf) to `then`, on the program's own, if `owner`
/// still lives. `work` must own what it touches: nobody waits for it but the end of the program, so that what may take
/// long must be one that can be stopped. What it throws arrives as an error, since an exception that left a thread
/// would end the program, and with it all that is not saved. `pool`: whose threads; null: the global pool (one thread
/// per core); do not block in it.
template <class Owner, class Work, class Then>
void elsewhere(Owner* owner, Work work, Then then, QThreadPool* pool = nullptr) {
  // It has its place before there may be no memory for one.
  auto outcome = std::make_shared<std::optional<decltype(outcomeOf(work))>>();
  (pool != nullptr ? pool : QThreadPool::globalInstance())
      ->start([self = QPointer<Owner>(owner), work = std::move(work), then, outcome]() mutable {
        outcome->emplace(outcomeOf(work));
        QMetaObject::invokeMethod(QCoreApplication::instance(), [self, outcome, then]() mutable {
          if (self) then(**outcome);
        });
      });
}

}  // namespace natscope::ui
