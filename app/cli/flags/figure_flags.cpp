// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/figure_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/cli/invocation.h"
#include "core/base/utf8.h"

namespace natscope {

void FigureFlags::add_to(CLI::App& command, const std::string& label_words, const std::string& label_type) {
  command
      .add_option_function<std::string>(
          "--title", [this](const std::string& text) { title = text; },
          "Title of a figure in place of what it shows; an empty one: none. What was set by hand then stands "
          "in the legend")
      ->type_name("TEXT");
  font_size_option =
      command
          .add_option("--font-size", font_size,
                      "Size of a figure's axis names, in points; its other texts and its lines keep their proportion "
                      "to it, the plot its size")
          ->check(number_within(4, 24))
          ->type_name("PT")
          ->capture_default_str();
  command.add_option("--label", labels, label_words)
      ->type_name(label_type)
      ->allow_extra_args(false)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::string FigureFlags::first_given() const {
  if (title) return "--title";
  if (font_size_option->count() > 0) return "--font-size";
  return labels.empty() ? std::string() : "--label";
}

Expected<void> FigureFlags::check() const {
  const bool is_text = valid_utf8(title.value_or(std::string())) &&
                       std::ranges::all_of(labels, [](const std::string& label) { return valid_utf8(label); });
  if (is_text) return {};
  return fail(ErrorCode::usage, "--title and --label take UTF-8 text", "look at the terminal's encoding");
}

}  // namespace natscope
