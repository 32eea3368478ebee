// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRgb>

namespace natscope::ui {

/// The lines of the cache's chart, on paper and on screen: of Okabe–Ito's colours those that no role has (Color
/// Universal Design, 2008); dashes tell the lines apart without colour.
inline constexpr QRgb denseColour = qRgb(0x8a, 0x8f, 0x96);
inline constexpr QRgb liveColour = qRgb(0x00, 0x72, 0xb2);
inline constexpr QRgb liveOnDark = qRgb(0x4a, 0xa8, 0xe0);  ///< the same, where the ground is dark
inline constexpr QRgb allocatedColour = qRgb(0xe6, 0x9f, 0x00);
inline constexpr QRgb keptColour = qRgb(0xcc, 0x79, 0xa7);  ///< of a run that is compared with, of several the first

}  // namespace natscope::ui
