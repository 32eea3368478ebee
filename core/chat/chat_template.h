// SPDX-License-Identifier: GPL-3.0-or-later
/// How a model wants to be talked to: the template of its tokenizer_config.json (`chat_template`) or
/// chat_template.jinja.
///
///     NATSCOPE_TRY(const auto found, ChatTemplate::read("Llama-3.1-8B-Instruct"));     // nothing: it has none
///     NATSCOPE_TRY(const std::string text, found->write({{"user", "Who are you?"}}, std::time(nullptr)));
///
/// A template is a program in Jinja's language, from a stranger. It is not handed to Python: what is here goes
/// through expressions, if, for, set and macros within limits of steps and memory, reads no file, and calls nothing of
/// the system. What a template asks for beyond that is refused.
///
/// Source: Jinja's documentation; transformers' apply_chat_template for what a template is given.
#pragma once

#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

struct ChatMessage {
  std::string role;  ///< "system", "user" or "assistant"
  std::string content;
};

/// Immutable, cheap to copy; any thread.
class ChatTemplate {
 public:
  using SpecialTokens = std::vector<std::pair<std::string, std::string>>;  ///< "bos_token" and its text, …

  /// Of a model's folder; nothing where it has no template. chat_template.jinja counts before tokenizer_config.json; of
  /// several named ones it is "default". Errors: bad_tokenizer, unsupported_tokenizer (each says where), file codes.
  [[nodiscard]] static Expected<std::optional<ChatTemplate>> read(const std::filesystem::path& folder);

  /// Errors: bad_tokenizer, unsupported_tokenizer.
  [[nodiscard]] static Expected<ChatTemplate> parse(std::string_view source, SpecialTokens special_tokens);

  /// The messages with all marks, up to where the assistant's answer begins (add_generation_prompt) unless it is not to
  /// begin: what apply_chat_template(…, tokenize=False) gives. `now` is for templates that write the date. Errors:
  /// bad_text (a template that raises one, for a role that it does not know), bad_tokenizer, unsupported_tokenizer.
  [[nodiscard]] Expected<std::string> write(std::span<const ChatMessage> messages, std::time_t now,
                                            bool begins_answer = true) const;

  [[nodiscard]] const SpecialTokens& special_tokens() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// The texts of the tokens that transformers adds to a folder's tokenizer, from tokenizer_config.json
/// (`added_tokens_decoder`) and added_tokens.json. Errors: bad_tokenizer, file codes.
[[nodiscard]] Expected<std::vector<std::string>> added_token_texts(const std::filesystem::path& folder);

/// Whether a model's folder has one, readable or not. Reads tokenizer_config.json.
[[nodiscard]] bool has_chat_template(const std::filesystem::path& folder);

}  // namespace natscope
