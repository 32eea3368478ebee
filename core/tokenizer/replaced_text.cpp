// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/replaced_text.h"

namespace natscope {

std::string replaced_text(std::string_view text, std::string_view from, std::string_view to) {
  std::string made;
  while (true) {
    const std::size_t at = text.find(from);
    made += text.substr(0, at);
    if (at == std::string_view::npos) return made;
    made += to;
    text.remove_prefix(at + from.size());
  }
}

}  // namespace natscope
