// SPDX-License-Identifier: GPL-3.0-or-later
/// Characters that Hugging Face's tokenizers library (0.23) and the libraries here know from different versions of
/// Unicode. Tokens are those of that library only if a new emoji is a symbol where it is one there. Private to core/io.
///
/// That library's patterns read Unicode 16 and its normalizers Unicode 9; PCRE2 reads 14 or later, utf8proc 14 or
/// later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace natscope {

/// Ranges for a character class of PCRE2: what is of the property "L", "Nd", "Han", … since Unicode 15 or 16. Empty:
/// nothing, or a property that is not in the table.
[[nodiscard]] std::string newer_characters_of(std::string_view property);

/// Whether normalizing leaves a character as it is there, though Unicode has learnt since then how it is done.
[[nodiscard]] bool is_newer_than_normalizing(std::uint32_t point);

}  // namespace natscope
