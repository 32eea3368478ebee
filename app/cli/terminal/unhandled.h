// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope {

/// From here on an exception that nobody catches ends the process with the contract's last line and exit code: 4 where
/// it is exhausted memory, else 1. Libraries throw where nothing of ours can catch: while they are set up, in threads
/// of theirs. What was half written under a temporary name is removed.
void end_unhandled_by_contract() noexcept;

}  // namespace natscope
