// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/chat_flags.h"

#include <utility>

#include "app/cli/terminal/note.h"

namespace natscope {

CLI::Option* ChatFlags::add_to(CLI::App& command, const std::string& what) {
  CLI::Option* const chat = command.add_flag(
      "--chat", is_chat_,
      "Give " + what + " to the model as a turn of a conversation, by the chat template in its folder");
  system_option_ = command.add_option("--system", system_, "What the model is told before that turn")
                       ->type_name("TEXT")
                       ->needs(chat);
  return chat;
}

Expected<PromptForm> ChatFlags::form(const ModelFolder& folder) const {
  PromptForm form;
  if (!is_chat_) return form;
  NATSCOPE_TRY(form.form_, ChatForm::of(folder));
  if (system_option_->count() > 0) form.system_ = system_;
  form.now_ = chat_time();
  return form;
}

Expected<std::string> PromptForm::prompt(std::string text) {
  if (!form_) return text;
  NATSCOPE_TRY(ChatText made, form_->prompt({std::move(text), system_}, now_));
  note(made.note);
  return std::move(made.prompt);
}

Expected<ChatFollowUp> PromptForm::follow_up(std::string text, std::int32_t last) {
  if (!form_) return ChatFollowUp{{}, std::move(text), {}};
  NATSCOPE_TRY(ChatFollowUp made, form_->follow_up({std::move(text), system_}, last, now_));
  note(made.note);
  return made;
}

void PromptForm::note(const std::string& what) {
  if (!what.empty() && std::exchange(note_, what) != what) print_note(what);
}

}  // namespace natscope
