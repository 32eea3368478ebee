// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/note.h"

#include <cstdio>

namespace natscope {

void print_note(std::string_view text) {
  std::fprintf(stderr, "note: %.*s\n", static_cast<int>(text.size()), text.data());
}

}  // namespace natscope
