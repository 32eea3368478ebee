// SPDX-License-Identifier: GPL-3.0-or-later
/// Ctrl+C, SIGTERM and a terminal that is closed (SIGHUP) as a stop token.
#pragma once

#include <stop_token>
#include <thread>

namespace natscope {

/// Turns SIGINT, SIGTERM and SIGHUP into a stop request for as long as it lives; under nohup, SIGHUP stays ignored. One
/// a process, made before other threads start. Whatever links it also ends with the contract's last line when a signal
/// comes before it was made.
///
/// Work looks at the token at least once a layer and ends cleanly. Where it cannot (a library call that does not
/// return), the process prints the contract's last line and ends with code 5 after `grace_ms`: the command line
/// promises half a second. Files are written whole or not at all, so ending at any moment loses nothing that was there;
/// what was half written under a temporary name is removed.
class InterruptGuard {
 public:
  static constexpr int grace_ms = 350;

  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  void watch();

  std::stop_source source_;
  std::thread watcher_;
};

/// While one lives, a call is at work that looks at no token and has nothing to put away: a signal ends the process at
/// once. Waiting for it would be in vain, and giving back the memory of a large picture takes its time, too.
class UnwatchedWork {
 public:
  UnwatchedWork();
  ~UnwatchedWork();
  UnwatchedWork(const UnwatchedWork&) = delete;
  UnwatchedWork& operator=(const UnwatchedWork&) = delete;
};

/// While one lives, what a process that has to be ended advises, in place of doing the same again.
class EndingAdvice {
 public:
  /// `advice`: a literal.
  explicit EndingAdvice(const char* advice);
  ~EndingAdvice();
  EndingAdvice(const EndingAdvice&) = delete;
  EndingAdvice& operator=(const EndingAdvice&) = delete;
};

}  // namespace natscope
