// SPDX-License-Identifier: GPL-3.0-or-later
/// --chat and --system: a text as a turn of a conversation.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "core/base/expected.h"

namespace natscope {

class ModelFolder;

class ChatOptions {
 public:
  /// `what` is the text in the help: "the text", "each prompt".
  CLI::Option* add_to(CLI::App& command, const std::string& what);

  [[nodiscard]] bool is_chat() const { return is_chat_; }

  /// The prompt that the model is given for a text; the text itself without --chat. `remarks`: says on stderr what
  /// differs from transformers. Errors: those of chat_text().
  [[nodiscard]] Expected<std::string> prompt(const ModelFolder& folder, std::string text, bool remarks) const;

 private:
  CLI::Option* system_option_ = nullptr;
  bool is_chat_ = false;
  std::string system_;
};

}  // namespace natscope
