// SPDX-License-Identifier: GPL-3.0-or-later
/// The fonts that an archive for machines without fonts brings along (share/natscope/fonts; a build has none).
#pragma once

namespace natscope::ui {

/// Makes them known to the application, once; those of the system stay. Call it on the main thread, with a
/// QGuiApplication.
void addOwnFonts();

}  // namespace natscope::ui
