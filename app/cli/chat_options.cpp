// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/chat_options.h"

#include <optional>
#include <utility>

#include "app/cli/note.h"
#include "core/chat/chat_text.h"

namespace natscope {

CLI::Option* ChatOptions::add_to(CLI::App& command, const std::string& what) {
  CLI::Option* const chat = command.add_flag(
      "--chat", is_chat_,
      "Give " + what + " to the model as a turn of a conversation, by the chat template in its folder");
  system_option_ = command.add_option("--system", system_, "What the model is told before that turn")
                       ->type_name("TEXT")
                       ->needs(chat);
  return chat;
}

Expected<std::string> ChatOptions::prompt(const ModelFolder& folder, std::string text, bool remarks) const {
  if (!is_chat_) return text;
  std::optional<std::string> system;
  if (system_option_->count() > 0) system = system_;
  NATSCOPE_TRY(ChatText made, chat_text(folder, {std::move(text), std::move(system)}, chat_time()));
  if (remarks && !made.note.empty()) print_note(made.note);
  return std::move(made.prompt);
}

}  // namespace natscope
