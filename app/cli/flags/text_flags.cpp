// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/text_flags.h"

#include <charconv>

#include "app/cli/terminal/standard_input.h"
#include "core/base/grouped_digits.h"
#include "core/model/context_hint.h"
#include "core/tokenizer/follow_up_tokens.h"

namespace natscope {
namespace {

constexpr std::uint64_t max_prompt_bytes = 64ULL << 20U;

Expected<std::vector<std::int32_t>> parse_token_list(const std::string& text) {
  std::vector<std::int32_t> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    std::int64_t id = 0;
    const auto [next, problem] = std::from_chars(at, end, id);
    if (problem == std::errc::invalid_argument || (next != end && *next != ',')) {
      return fail(ErrorCode::usage,
                  "--tokens takes whole numbers separated by commas, not \"" + printable(text, 60) + "\"");
    }
    if (problem == std::errc::result_out_of_range || id < 0 || id > INT32_MAX) {
      return fail(ErrorCode::bad_token_id, "--tokens holds an id that no vocabulary has");
    }
    ids.push_back(static_cast<std::int32_t>(id));
    if (next == end) return ids;
    at = next + 1;
  }
}

}  // namespace

void TextFlags::add_to(CLI::App& command) {
  prompt_option_ = command.add_option("--prompt", prompt_, "Text to begin with")->type_name("TEXT");
  file_option_ =
      command.add_option("--prompt-file", prompt_file_, "File with the text; -: standard input")->type_name("FILE");
  tokens_option_ =
      command.add_option("--tokens", tokens_, "Token ids, taken as they are, for example 1,2,3")->type_name("IDS");
  prompt_option_->excludes(file_option_)->excludes(tokens_option_);
  file_option_->excludes(tokens_option_);
  chat_.add_to(command, "the text")->excludes(tokens_option_);
  command
      .add_option("--then", then_,
                  "Go on with this text once the model has answered, and let it answer again, from the same cache; may "
                  "be given several times, with --chat each is the next turn")
      ->type_name("TEXT")
      ->allow_extra_args(false);
}

bool TextFlags::given() const { return prompt_option_->count() + file_option_->count() + tokens_option_->count() > 0; }

std::optional<std::string> TextFlags::file() const {
  if (file_option_->count() == 0 || prompt_file_ == "-") return std::nullopt;
  return prompt_file_;
}

Expected<std::string> TextFlags::read_text() const {
  if (prompt_option_->count() > 0) return prompt_;
  return read_text_input(prompt_file_, max_prompt_bytes);
}

Expected<std::vector<std::int32_t>> TextFlags::tokens(const Engine& engine) const {
  if (!given()) {
    return fail(ErrorCode::usage, "no text was given", "give --prompt TEXT, --prompt-file FILE or --tokens 1,2,3");
  }
  if (tokens_option_->count() > 0) {
    source_text_ = tokens_;
    NATSCOPE_TRY(auto ids, parse_token_list(tokens_));
    for (const std::int32_t id : ids) {
      if (id >= engine.config().vocab) {
        return fail(ErrorCode::bad_token_id, "token id " + std::to_string(id) + " is outside the vocabulary of " +
                                                 std::to_string(engine.config().vocab));
      }
    }
    if (static_cast<std::int64_t>(ids.size()) > engine.config().context) {
      return fail(ErrorCode::prompt_too_long,
                  std::to_string(ids.size()) + " tokens are given, the context holds " +
                      std::to_string(engine.config().context),
                  context_hint(engine.config(), "shorten the prompt"));
    }
    return ids;
  }
  NATSCOPE_TRY(source_text_, read_text());
  NATSCOPE_TRY(form_, chat_.form(engine.folder()));
  NATSCOPE_TRY(source_text_, form_.prompt(std::move(source_text_)));
  return engine.tokenize(source_text_);
}

Expected<std::vector<std::int32_t>> TextFlags::follow_up(const Engine& engine, std::size_t index) const {
  const auto frames = engine.record().frames();
  const std::int32_t last = frames.empty() ? -1 : frames.back().token;
  NATSCOPE_TRY(const ChatFollowUp next, form_.follow_up(then_[index], last));
  return engine.tokenize_follow_up(next.text, next.end);
}

Expected<std::int64_t> TextFlags::tokens_with_follow_ups(const Engine& engine,
                                                         const std::vector<std::int32_t>& prompt) const {
  std::int64_t tokens = std::ssize(prompt);
  for (const std::string& then : then_) {
    if (then.empty()) return fail(ErrorCode::bad_text, "the text of --then is empty");
    const std::int32_t last = prompt.empty() ? -1 : prompt.back();
    NATSCOPE_TRY(const ChatFollowUp next, form_.follow_up(then, last));
    NATSCOPE_TRY(const auto ids, follow_up_tokens(engine.tokenizer(), next.end.value_or(last), next.text));
    tokens += std::ssize(ids);
  }
  if (tokens > engine.config().context) {
    return fail(ErrorCode::prompt_too_long,
                "prompt and --then have " + grouped_digits(tokens) + " tokens, but the model's context holds " +
                    grouped_digits(engine.config().context),
                context_hint(engine.config(), "shorten the prompt"));
  }
  return tokens;
}

}  // namespace natscope
