// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "core/base/expected.h"

namespace natscope::ui {

/// The largest file that is read as a prompt: many times what any context holds.
inline constexpr qint64 largestTextFile = qint64{16} << 20;

/// A prompt out of a file, as it stands: a byte order mark and CR LF are tokens of their own on the command line, too.
/// Errors: file_not_found, io_failure, file_too_large, bad_text (empty, not UTF-8, bytes that no text has).
[[nodiscard]] Expected<QString> readTextFile(const QString& path);

/// What a text has that no field shows and that changes its tokens: a byte order mark, CR. Empty: nothing.
[[nodiscard]] QString unseenWords(const QString& text);

/// Whether a file is one that this program records sequences in (safetensors), by its name or its first bytes; any
/// other is taken for a text.
[[nodiscard]] bool isRecordedFile(const QString& path);

}  // namespace natscope::ui
