// SPDX-License-Identifier: GPL-3.0-or-later
/// --chat and --system: a text as a turn of a conversation.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

#include "core/base/expected.h"
#include "core/chat/chat_form.h"

namespace natscope {

/// Texts as the model is given them: with the marks of a turn, or (without --chat) as they are. All of one command are
/// of one time.
class PromptForm {
 public:
  /// What there is to note is said on stderr, once. Errors: those of ChatForm::prompt().
  [[nodiscard]] Expected<std::string> prompt(std::string text);
  /// The same of a text that follows an answer, which ends with the token `last`. Errors: those of
  /// ChatForm::follow_up().
  [[nodiscard]] Expected<ChatFollowUp> follow_up(std::string text, std::int32_t last);

 private:
  friend class ChatFlags;
  void note(const std::string& what);

  std::optional<ChatForm> form_;
  std::optional<std::string> system_;
  std::time_t now_ = 0;
  std::string note_;  // that was said last
};

class ChatFlags {
 public:
  /// `what` is the text in the help: "the text", "each prompt".
  CLI::Option* add_to(CLI::App& command, const std::string& what);

  [[nodiscard]] bool is_chat() const { return is_chat_; }

  /// Errors: those of ChatForm::of().
  [[nodiscard]] Expected<PromptForm> form(const ModelFolder& folder) const;

 private:
  CLI::Option* system_option_ = nullptr;
  bool is_chat_ = false;
  std::string system_;
};

}  // namespace natscope
