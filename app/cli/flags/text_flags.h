// SPDX-License-Identifier: GPL-3.0-or-later
/// Text in: --prompt, --prompt-file or --tokens; with --chat as a turn of a conversation.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/flags/chat_flags.h"
#include "core/base/expected.h"
#include "core/engine/engine.h"

namespace natscope {

class TextFlags {
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

  /// Texts that --then gives: each is said once the model has answered what stands before it.
  [[nodiscard]] std::size_t follow_ups() const { return then_.size(); }
  /// Tokens of one of them, to go on with behind what the engine has. Behind tokens().
  /// Errors: as Engine::tokenize_follow_up(), with --chat those of ChatForm::follow_up().
  [[nodiscard]] Expected<std::vector<std::int32_t>> follow_up(const Engine& engine, std::size_t index) const;
  /// How many tokens prompt and all of them have together, at least: one that ends an answer that does not end itself
  /// may come to each. What is wrong with one is found here, before anything runs. Behind tokens().
  /// Errors: as follow_up().
  [[nodiscard]] Expected<std::int64_t> tokens_with_follow_ups(const Engine& engine,
                                                              const std::vector<std::int32_t>& prompt) const;

  /// The bytes that the trace's prompt_sha256 is taken over, without --then: the text as the model reads it, or the
  /// token list as written.
  [[nodiscard]] const std::string& source_text() const { return source_text_; }

 private:
  [[nodiscard]] Expected<std::string> read_text() const;

  CLI::Option* prompt_option_ = nullptr;
  CLI::Option* file_option_ = nullptr;
  CLI::Option* tokens_option_ = nullptr;
  std::string prompt_;
  std::string prompt_file_;
  std::string tokens_;
  ChatFlags chat_;
  std::vector<std::string> then_;
  mutable PromptForm form_;
  mutable std::string source_text_;
};

}  // namespace natscope
