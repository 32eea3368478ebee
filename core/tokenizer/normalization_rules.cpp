// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/normalization_rules.h"

#include <cstdint>
#include <vector>

#include "core/base/utf8.h"

namespace natscope {
namespace {

/// One unit of a Darts-clone double array (darts.h, DoubleArrayUnit).
struct Unit {
  std::uint32_t bits;

  [[nodiscard]] bool has_leaf() const { return (bits >> 8U & 1U) == 1; }
  [[nodiscard]] std::uint32_t value() const { return bits & 0x7FFFFFFFU; }
  [[nodiscard]] std::uint32_t label() const { return bits & 0x800000FFU; }
  [[nodiscard]] std::uint32_t offset() const { return bits >> 10U << ((bits & 0x200U) >> 6U); }
};

std::uint32_t little_endian_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

bool normalization_rules_are_safe(std::string_view rules) {
  if (rules.empty()) return true;
  constexpr std::size_t max_rules_bytes = std::size_t{8} << 20;
  constexpr std::size_t size_bytes = 4;
  if (rules.size() <= size_bytes || rules.size() > max_rules_bytes) return false;
  const std::uint32_t trie_bytes = little_endian_u32(rules);
  rules.remove_prefix(size_bytes);
  if (trie_bytes == 0 || trie_bytes % 4 != 0 || trie_bytes >= rules.size()) return false;
  const std::string_view replacements = rules.substr(trie_bytes);
  // Each replacement is read up to its zero byte.
  if (replacements.back() != '\0' || !valid_utf8(replacements)) return false;
  // A letter of the text may become any of them; Unicode's longest has 33 bytes.
  constexpr std::size_t max_replacement_bytes = 1024;
  for (std::size_t at = 0, end = 0; at < replacements.size(); at = end + 1) {
    end = replacements.find('\0', at);
    if (end - at > max_replacement_bytes) return false;
  }

  const std::size_t units = trie_bytes / 4;
  const auto unit = [&](std::size_t i) { return Unit{little_endian_u32(rules.substr(i * 4, 4))}; };
  // A state is the index its children's labels are xor-ed with; any label may be tried in it.
  const auto has_room = [&](std::size_t state) { return (state | 0xFFU) < units; };
  std::vector<bool> seen(units, false);
  std::vector<std::size_t> open;
  const std::size_t start = unit(0).offset();
  if (unit(0).has_leaf() || !has_room(start)) return false;
  seen[start] = true;
  open.push_back(start);
  while (!open.empty()) {
    const std::size_t state = open.back();
    open.pop_back();
    for (std::uint32_t label = 0; label < 256; ++label) {
      const std::size_t child = state ^ label;
      const Unit entry = unit(child);
      if (entry.label() != label) continue;
      const std::size_t next = child ^ entry.offset();
      if (!has_room(next)) return false;
      if (entry.has_leaf() && unit(next).value() >= replacements.size()) return false;
      if (seen[next]) continue;
      seen[next] = true;
      open.push_back(next);
    }
  }
  return true;
}

}  // namespace natscope
