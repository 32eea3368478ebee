// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope {

/// From here on a mapped file that is cut short while it is read (MappedFile) ends the process with an error's line and
/// exit code, where a signal would end it without a word. What was half written under a temporary name is removed.
void end_with_a_word_on_lost_files();

}  // namespace natscope
