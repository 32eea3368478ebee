// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/chat_text.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "core/base/utf8.h"
#include "core/chat/chat_template.h"

namespace natscope {
namespace {

/// Control tokens written out in a text are ordinary text to sentencepiece, where transformers makes tokens of them.
Expected<void> check_marks(const Tokenizer& tokenizer, std::string_view text) {
  if (tokenizer.format() != "sentencepiece") return {};
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) {
    if (tokenizer.kind(id) != PieceKind::control || text.find(tokenizer.display(id)) == std::string_view::npos)
      continue;
    return fail(ErrorCode::unsupported_tokenizer,
                "the chat template writes " + tokenizer.display(id) + ", which tokenizer.model reads as ordinary text",
                "where the folder has a tokenizer.json, too, make a copy of it without tokenizer.model");
  }
  return {};
}

}  // namespace

Expected<ChatText> chat_text(const ModelFolder& folder, const ChatTurn& turn, std::time_t now) {
  if (!valid_utf8(turn.user) || !valid_utf8(turn.system.value_or("")))
    return fail(ErrorCode::bad_text, "the text is not UTF-8");
  NATSCOPE_TRY(const auto chat_template, ChatTemplate::read(folder.path()));
  if (!chat_template) {
    return fail(ErrorCode::usage, folder.path().string() + " has no chat template",
                "give the text as the model shall read it");
  }
  std::vector<ChatMessage> messages;
  if (turn.system) messages.push_back({"system", *turn.system});
  messages.push_back({"user", turn.user});
  ChatText made;
  NATSCOPE_TRY(made.prompt, chat_template->write(messages, now));
  if (const auto bos = folder.bos_id()) {
    const std::string begin = folder.tokenizer().display(*bos);
    if (made.prompt.starts_with(begin)) {
      made.prompt.erase(0, begin.size());
    } else {
      made.note = "the chat template writes no " + begin + ", which stands in front of the text all the same";
    }
  }
  NATSCOPE_CHECK(check_marks(folder.tokenizer(), made.prompt));
  return made;
}

std::time_t chat_time() {
  const char* const set = std::getenv("SOURCE_DATE_EPOCH");
  const std::string_view digits = set != nullptr ? set : "";
  std::int64_t seconds = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  constexpr std::int64_t last_of_four_digits = 253402300799;  // 9999-12-31T23:59:59Z
  const bool is_time = !digits.empty() && problem == std::errc() && end == digits.data() + digits.size() &&
                       seconds >= 0 && seconds <= last_of_four_digits;
  return is_time ? static_cast<std::time_t>(seconds) : std::time(nullptr);
}

}  // namespace natscope
