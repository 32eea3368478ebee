// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/chat_form.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/utf8.h"

namespace natscope {
namespace {

/// Control tokens written out in a text, and tokens that were added later, are ordinary text to sentencepiece, where
/// transformers makes tokens of them.
Expected<std::vector<std::string>> marks_of(const ModelFolder& folder) {
  std::vector<std::string> marks;
  const Tokenizer& tokenizer = folder.tokenizer();
  if (tokenizer.format() != "sentencepiece") return marks;
  NATSCOPE_TRY(marks, added_token_texts(folder.path()));
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) {
    const PieceKind kind = tokenizer.kind(id);
    if (kind == PieceKind::user_defined) std::erase(marks, tokenizer.piece_bytes(id));
    if (kind == PieceKind::control || kind == PieceKind::unknown) marks.push_back(tokenizer.display(id));
  }
  return marks;
}

/// Whether a text has the same first tokens behind the beginning token as alone: a tokenizer may put a blank in front
/// of a text, and none behind a token. True where it reads that token, written out, as ordinary text.
bool begins_alike(const Tokenizer& tokenizer, std::int32_t bos, const std::string& written, std::string_view text) {
  constexpr std::size_t enough = 256;  // bytes; cut alike, both
  const std::string beginning(text.substr(0, complete_prefix_length(text.substr(0, enough))));
  const auto behind = tokenizer.encode(written + beginning);
  const auto alone = tokenizer.encode(beginning);
  if (!behind || !alone || behind->empty() || behind->front() != bos) return true;
  return std::equal(behind->begin() + 1, behind->end(), alone->begin(), alone->end());
}

Expected<void> check_marks(const std::vector<std::string>& marks, std::string_view text) {
  for (const std::string& mark : marks) {
    if (text.find(mark) == std::string_view::npos) continue;
    return fail(ErrorCode::unsupported_tokenizer,
                "the turn has " + printable(mark) + " in it, which tokenizer.model reads as ordinary text",
                "where the folder has a tokenizer.json, too, make a copy of it without tokenizer.model");
  }
  return {};
}

}  // namespace

Expected<ChatForm> ChatForm::of(const ModelFolder& folder) {
  NATSCOPE_TRY(auto found, ChatTemplate::read(folder.path()));
  if (!found) {
    return fail(ErrorCode::bad_tokenizer, printable(folder.path().string()) + " has no chat template",
                "give the text as the model shall read it");
  }
  NATSCOPE_TRY(auto marks, marks_of(folder));
  return ChatForm(folder, *std::move(found), std::move(marks));
}

Expected<ChatText> ChatForm::prompt(const ChatTurn& turn, std::time_t now) const {
  if (turn.user.empty()) return fail(ErrorCode::bad_text, "the text is empty");
  if (!valid_utf8(turn.user) || !valid_utf8(turn.system.value_or("")))
    return fail(ErrorCode::bad_text, "the text is not UTF-8");
  std::vector<ChatMessage> messages;
  if (turn.system) messages.push_back({"system", *turn.system});
  messages.push_back({"user", turn.user});
  ChatText made;
  NATSCOPE_TRY(made.prompt, template_.write(messages, now));
  if (const auto bos = folder_.bos_id()) {
    const std::string begin = folder_.tokenizer().display(*bos);
    if (made.prompt.starts_with(begin)) {
      made.prompt.erase(0, begin.size());
      if (!begins_alike(folder_.tokenizer(), *bos, begin, made.prompt))
        made.note = "the first tokens are those of a text, not those behind " + begin + " that transformers gives";
    } else {
      made.note = "the chat template writes no " + begin + ", which stands in front of the text all the same";
    }
  }
  NATSCOPE_CHECK(check_marks(marks_, made.prompt));
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
