// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope {

/// The first line of a program's main(). Descriptors 0, 1 and 2 that were closed when it was started are occupied, so
/// that no file or pipe of the program's own gets their number; reading and writing them fails, as before. A write
/// over the limit of a file's size fails, too, where its signal would end the program.
void settle_standard_streams();

}  // namespace natscope
