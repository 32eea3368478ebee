// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/chat_form.h"

#include <algorithm>
#include <array>
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

Expected<void> check_said(std::string_view user) {
  if (user.empty()) return fail(ErrorCode::bad_text, "the text is empty");
  if (!valid_utf8(user)) return fail(ErrorCode::bad_text, "the text is not UTF-8");
  return {};
}

std::string_view without_last_blanks(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \n\r\t") + 1);
}

/// A word that is nowhere in a text.
std::string word_outside(std::string_view text, std::string word) {
  while (text.find(word) != std::string_view::npos) word += 'x';
  return word;
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
  NATSCOPE_CHECK(check_said(turn.user));
  if (!valid_utf8(turn.system.value_or(""))) return fail(ErrorCode::bad_text, "the text is not UTF-8");
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

Expected<ChatText> ChatForm::follow_up(const std::string& user, std::int32_t last, std::time_t now) const {
  NATSCOPE_CHECK(check_said(user));
  // The template writes a conversation of which the answer is found again.
  const ChatMessage question{"user", word_outside(user, "question")};
  NATSCOPE_TRY(const std::string asked, template_.write(std::array{question}, now));
  const std::string answer = word_outside(user + asked, "answered");
  NATSCOPE_TRY(const std::string whole,
               template_.write(std::array{question, ChatMessage{"assistant", answer}, ChatMessage{"user", user}}, now));
  const std::size_t found = whole.find(answer);
  if (found == std::string::npos) {
    return fail(ErrorCode::unsupported_tokenizer, "the chat template leaves earlier answers out",
                "give the whole conversation as the prompt");
  }
  ChatText made;
  made.prompt = whole.substr(found + answer.size());
  const std::string ended = folder_.tokenizer().display(last);
  if (folder_.tokenizer().kind(last) != PieceKind::normal && made.prompt.starts_with(ended))
    made.prompt.erase(0, ended.size());
  if (without_last_blanks(std::string_view(whole).substr(0, found)) != without_last_blanks(asked))
    made.note = "the chat template writes earlier turns otherwise than they stand in the cache";
  NATSCOPE_CHECK(check_marks(marks_, made.prompt));
  return made;
}

Expected<std::vector<ChatPart>> ChatForm::conversation(std::span<const ChatMessage> messages, std::time_t now) const {
  if (messages.empty()) return fail(ErrorCode::bad_text, "there are no messages");
  for (const ChatMessage& message : messages) {
    if (!valid_utf8(message.content) || !valid_utf8(message.role))
      return fail(ErrorCode::bad_text, "the text is not UTF-8");
  }
  std::vector<ChatPart> parts;
  std::string written;
  const auto take = [&](const std::string& text, bool is_answer) -> Expected<void> {
    if (!text.starts_with(written)) {
      return fail(ErrorCode::bad_text, "the chat template writes earlier messages otherwise once others follow",
                  "give each answer with all that stands before it as prompt and answer");
    }
    if (text.size() > written.size()) parts.push_back({text.substr(written.size()), is_answer});
    written = text;
    return {};
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bool is_answer = messages[i].role == "assistant";
    if (!is_answer && i + 1 < messages.size()) continue;  // what stands before an answer is one part
    if (is_answer && i > 0) {
      NATSCOPE_TRY(const std::string asked, template_.write(messages.first(i), now, true));
      NATSCOPE_CHECK(take(asked, false));
    }
    NATSCOPE_TRY(const std::string said, template_.write(messages.first(i + 1), now, false));
    NATSCOPE_CHECK(take(said, is_answer));
  }
  if (const auto bos = folder_.bos_id()) {
    const std::string begin = folder_.tokenizer().display(*bos);
    if (parts.front().text.starts_with(begin)) parts.front().text.erase(0, begin.size());
  }
  for (const ChatPart& part : parts) NATSCOPE_CHECK(check_marks(marks_, part.text));
  return parts;
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
