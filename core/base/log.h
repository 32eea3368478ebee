// SPDX-License-Identifier: GPL-3.0-or-later
/// Messages for people, on stderr. Standard output belongs to results and frames.
///
/// One line a message, written with one call so that threads do not mix. Control characters in the text are escaped.
#pragma once

#include <functional>
#include <string_view>

namespace natscope {

enum class LogLevel { debug, info, warning, error };

/// Messages below this are dropped. Default: warning, or what the environment's NATSCOPE_LOG says (debug, info,
/// warning, error).
void set_log_level(LogLevel level);
[[nodiscard]] LogLevel log_level();

/// Prints `natscope: LEVEL: text`. Never starts with `error:`, which is kept for a program's last line.
void log(LogLevel level, std::string_view text);

/// Sends messages elsewhere (tests, the window's log); an empty function restores stderr. Called with a lock held, so
/// the sink must not log.
void set_log_sink(std::function<void(LogLevel, std::string_view)> sink);

}  // namespace natscope
