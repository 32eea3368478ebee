// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace natscope::test {

/// What else than a GPU a program of GPU tests cannot do without and does not find here, in words; null: nothing is
/// missing. For programs that have such a need to define; called once, before any test.
extern const char* what_is_missing() __attribute__((weak));

}  // namespace natscope::test
