// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/words/nearest_word.h"

#include <algorithm>
#include <vector>

namespace natscope {
namespace {

std::string_view without_dashes(std::string_view word) {
  return word.substr(std::min(word.find_first_not_of('-'), word.size()));
}

/// How many letters were left out, added, changed or turned round with the next one (optimal string alignment).
std::size_t slips(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> best(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        best[i][j] = i + j;
        continue;
      }
      const std::size_t changed = best[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      best[i][j] = std::min({best[i - 1][j] + 1, best[i][j - 1] + 1, changed});
      const bool turned = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (turned) best[i][j] = std::min(best[i][j], best[i - 2][j - 2] + 1);
    }
  }
  return best[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> nearest_word(std::string_view word, std::span<const std::string> known) {
  constexpr std::size_t most_letters = 40;  // longer ones are no slip of the pen
  const std::string_view typed = without_dashes(word);
  if (typed.size() < 2 || typed.size() > most_letters) return std::nullopt;
  const auto begins = [&](const std::string& one) { return without_dashes(one).starts_with(typed); };
  if (std::ranges::count_if(known, begins) == 1) return *std::ranges::find_if(known, begins);
  const auto distance = [&](const std::string& one) { return slips(typed, without_dashes(one)); };
  const auto nearest = std::ranges::min_element(known, {}, distance);
  if (nearest == known.end() || 3 * distance(*nearest) > std::max(typed.size(), std::size_t{3})) return std::nullopt;
  return *nearest;
}

}  // namespace natscope
