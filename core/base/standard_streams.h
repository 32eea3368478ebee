// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope {

/// The first line of a program's main(). Descriptors 0, 1 and 2 that were closed when it was started are occupied, so
/// that no file or pipe of the program's own gets their number; reading and writing them fails, as before. A write
/// over the limit of a file's size fails, too, where its signal would end the program.
void settle_standard_streams();

/// The last line of a program's main(): writes out what streams hold, and ends the process with this exit code. Static
/// objects are not taken apart: LibTorch takes its operators back one by one, a quarter of the time of a short command.
[[noreturn]] void end_process(int code) noexcept;

}  // namespace natscope
