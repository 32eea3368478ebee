// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// Before a function with loops that the compiler vectorises: it is compiled for several instruction sets, and the
/// program takes the best one that its processor has when it starts.
// Picking a version happens before a sanitizer's run-time library is ready, so sanitized builds take the plain one.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define NATSCOPE_ANY_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define NATSCOPE_ANY_CPU
#endif
