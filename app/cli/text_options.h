// SPDX-License-Identifier: GPL-3.0-or-later
/// Text in: --prompt, --prompt-file or --tokens; with --chat as a turn of a conversation.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/chat_options.h"
#include "core/base/expected.h"
#include "core/engine/engine.h"

namespace natscope {

class TextOptions {
 public:
  void add_to(CLI::App& command);

  /// Whether any of the three was given.
  [[nodiscard]] bool given() const;
  [[nodiscard]] bool is_chat() const { return chat_.is_chat(); }

  /// The file that is read; nothing for standard input.
  [[nodiscard]] std::optional<std::string> file() const;

  /// Tokens of what was given: text with the beginning token in front, --tokens as they are.
  /// Errors: usage (nothing was given, numbers that are none), bad_text,
  /// bad_token_id, prompt_too_long, file codes, with --chat those of ChatForm.
  [[nodiscard]] Expected<std::vector<std::int32_t>> tokens(const Engine& engine) const;

  /// The bytes that the trace's prompt_sha256 is taken over: the text as the model reads it, or the token list as
  /// written.
  [[nodiscard]] const std::string& source_text() const { return source_text_; }

 private:
  [[nodiscard]] Expected<std::string> read_text() const;

  CLI::Option* prompt_option_ = nullptr;
  CLI::Option* file_option_ = nullptr;
  CLI::Option* tokens_option_ = nullptr;
  std::string prompt_;
  std::string prompt_file_;
  std::string tokens_;
  ChatOptions chat_;
  mutable std::string source_text_;
};

}  // namespace natscope
