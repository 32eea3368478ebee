// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/length_flag.h"

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "core/base/error.h"

namespace natscope {
namespace {

constexpr double points_a_mm = 72 / 25.4;
constexpr double largest_mm = 2000;

/// In points; nothing where it is no length of these.
std::optional<double> points_of(std::string_view text, double least_mm) {
  constexpr std::array<std::pair<std::string_view, double>, 4> units{
      {{"mm", points_a_mm}, {"cm", 10 * points_a_mm}, {"in", 72}, {"pt", 1}}};
  for (const auto& [unit, points] : units) {
    if (!text.ends_with(unit)) continue;
    const std::string_view number = text.substr(0, text.size() - unit.size());
    double value = 0;
    const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), value);
    const bool is_number = problem == std::errc{} && end == number.data() + number.size();
    if (is_number && value * points >= least_mm * points_a_mm && value * points <= largest_mm * points_a_mm)
      return value * points;
  }
  return std::nullopt;
}

}  // namespace

void add_width_option(CLI::App& command, std::optional<double>& points, const std::string& words, double least_mm) {
  command
      .add_option_function<std::string>(
          "--width",
          [&points, least_mm](const std::string& text) {
            points = points_of(text, least_mm);
            if (points) return;
            throw CLI::ValidationError("--width", "takes " + std::to_string(static_cast<int>(least_mm)) +
                                                      "mm to 2000mm (or so many cm, in or pt), not \"" +
                                                      printable(text, 40) + "\"");
          },
          words)
      ->type_name("LENGTH");
}

}  // namespace natscope
