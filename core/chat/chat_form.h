// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/expected.h"
#include "core/chat/chat_template.h"
#include "core/io/model_folder.h"

namespace natscope {

/// One turn: what a person says, and what the model is told about itself before that.
struct ChatTurn {
  std::string user;
  std::optional<std::string> system;  ///< absent: what the template says by itself
};

struct ChatText {
  std::string prompt;
  std::string note;  ///< what differs from transformers; empty: nothing
};

/// What follows an answer: a token and a text behind it (Engine::tokenize_follow_up).
struct ChatFollowUp {
  std::optional<std::int32_t> end;  ///< ends the answer, where it did not end itself
  std::string text;
  std::string note;  ///< what differs from transformers; empty: nothing
};

/// A stretch of a conversation's text.
struct ChatPart {
  std::string text;
  bool is_answer = false;  ///< the model's: what it said, and the marks that end it
};

/// Makes prompts of turns, by the chat template of a model. Cheap to copy, immutable.
class ChatForm {
 public:
  /// Errors: bad_tokenizer (the model has no chat template, or one that is none), unsupported_tokenizer, file codes.
  [[nodiscard]] static Expected<ChatForm> of(const ModelFolder& folder);

  /// The text whose tokens, with the beginning token that Engine::tokenize puts in front, are those of transformers'
  /// apply_chat_template. So the beginning token that a template writes is left out where the model's texts begin with
  /// one anyway. Where they do and the template writes none, or where the text behind that token has other tokens than
  /// it has alone, the note says so. `now` is for templates with a date.
  ///
  /// Errors: bad_text (an empty text, not UTF-8, one that the template refuses); unsupported_tokenizer (marks that a
  /// tokenizer.model reads as ordinary text, or a template beyond what ChatTemplate does); bad_tokenizer.
  [[nodiscard]] Expected<ChatText> prompt(const ChatTurn& turn, std::time_t now) const;

  /// What goes on behind an answer, which ends with the token `last`: the marks that the template has there, then what
  /// is said next, up to where the next answer begins. The token that ends an answer is not said twice, however the
  /// template writes it, and is given as a token where it is still to come. The system's text is for templates that
  /// write it with the last turn. What the model has read stays as it is: where the template writes what is in front of
  /// an earlier answer otherwise than it was given, the note says so.
  ///
  /// Errors: as prompt(); unsupported_tokenizer (a template that leaves earlier answers out).
  [[nodiscard]] Expected<ChatFollowUp> follow_up(const ChatTurn& turn, std::int32_t last, std::time_t now) const;

  /// Takes a whole conversation apart, for texts to learn from: hands over its parts in order, of which the model is to
  /// learn those that are answers, until `take` wants no more. The beginning token is left out as in prompt(). Cost:
  /// each answer has the template write all that stands before it. Errors: as prompt(), those of `take`; bad_text (no
  /// message, one that is not UTF-8, a template that writes an earlier message otherwise once others follow).
  [[nodiscard]] Expected<void> conversation(std::span<const ChatMessage> messages, std::time_t now,
                                            const std::function<Expected<bool>(const ChatPart& part)>& take) const;

 private:
  ChatForm(ModelFolder folder, ChatTemplate chat_template, std::vector<std::string> marks)
      : folder_(std::move(folder)), template_(std::move(chat_template)), marks_(std::move(marks)) {}

  ModelFolder folder_;
  ChatTemplate template_;
  std::vector<std::string> marks_;  // tokens to transformers, and ordinary text to a tokenizer.model
};

/// SOURCE_DATE_EPOCH where it is set, else the time: what `now` is for programs.
[[nodiscard]] std::time_t chat_time();

}  // namespace natscope
