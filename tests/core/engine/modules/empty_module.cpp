// SPDX-License-Identifier: GPL-3.0-or-later
// A library that is no backend.
extern "C" int natscope_something_else();
extern "C" int natscope_something_else() { return 1; }
