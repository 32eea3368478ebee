// SPDX-License-Identifier: GPL-3.0-or-later
/// --ask: whether what drops behind a prompt knows the question.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "core/engine/question_place.h"

namespace natscope {

/// "within" or "behind".
[[nodiscard]] const char* name(QuestionPlace place);

struct AskFlag {
  std::vector<std::string> texts;

  /// `what` the question comes behind, in the help: "the document"; `several`: whether both may be given.
  void add_to(CLI::App& command, const std::string& what, bool several);

  /// At least one.
  [[nodiscard]] std::vector<QuestionPlace> places() const;
};

}  // namespace natscope
