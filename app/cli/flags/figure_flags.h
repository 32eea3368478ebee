// SPDX-License-Identifier: GPL-3.0-or-later
/// What every drawn figure can have: a title of one's own, the size of its texts, names of what is compared.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

struct FigureFlags {
  std::optional<std::string> title;  ///< empty: none
  double font_size = 8;              ///< points
  std::vector<std::string> labels;
  CLI::Option* font_size_option = nullptr;

  /// `labels`: what --label says in this command, `type` what it takes.
  void add_to(CLI::App& command, const std::string& label_words, const std::string& label_type);

  /// The first of them that was given; empty: none was.
  [[nodiscard]] std::string first_given() const;
  /// Errors: usage (no UTF-8).
  [[nodiscard]] Expected<void> check() const;
};

}  // namespace natscope
