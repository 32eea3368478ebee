// SPDX-License-Identifier: GPL-3.0-or-later
/// What a tokenizer.json does to a text before it is cut. Private to core/io.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

/// One of Unicode's four normalization forms; utf8proc behind it.
struct UnicodeForm {
  bool composes = true;
  bool is_compatible = false;
};
/// A text put in front, where there is any text.
struct Prepend {
  std::string text;
};
/// Every occurrence of a text, from the left, by another.
struct Replace {
  std::string from, to;
};

class NormalizerSteps {
 public:
  /// `json`: null, or the object under "normalizer". Errors: bad_tokenizer, unsupported_tokenizer.
  [[nodiscard]] static Expected<NormalizerSteps> read(const nlohmann::json& json);
  /// Bytes by which the parts of one text may get longer together, beyond 64 times what they are.
  static constexpr std::size_t room_of_a_text = std::size_t{64} << 10U;
  /// `text` is UTF-8. `room`: what is left of room_of_a_text for this part and those behind it. May throw
  /// std::bad_alloc. Errors: bad_text, also where it would grow without measure.
  [[nodiscard]] Expected<std::string> apply(std::string text, std::size_t& room) const;
  /// Whether texts are replaced by others, which may reach over a blank.
  [[nodiscard]] bool replaces() const;

 private:
  Expected<void> add(const nlohmann::json& json, int depth);

  std::vector<std::variant<UnicodeForm, Prepend, Replace>> steps_;
};

}  // namespace natscope
