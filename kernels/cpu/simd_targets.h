// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// Which instruction sets Highway compiles for: AVX-512, AVX2, and SSE4 for what is older. Include before Highway.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS HWY_SSSE3
#endif
