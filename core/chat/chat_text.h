// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <ctime>
#include <optional>
#include <string>

#include "core/base/expected.h"
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

/// The prompt for a turn: the text whose tokens, with the beginning token that Engine::tokenize puts in front, are
/// those of transformers' apply_chat_template. So the beginning token that a template writes is left out where the
/// model's texts begin with one anyway; where they do and the template writes none, the note says so.
///
/// Errors: usage (the model has no chat template); unsupported_tokenizer (marks that a tokenizer.model reads as
/// ordinary text, or a template beyond what ChatTemplate does); bad_text, bad_tokenizer, file codes.
[[nodiscard]] Expected<ChatText> chat_text(const ModelFolder& folder, const ChatTurn& turn, std::time_t now);

/// SOURCE_DATE_EPOCH where it is set, else the time: what `now` is for programs.
[[nodiscard]] std::time_t chat_time();

}  // namespace natscope
