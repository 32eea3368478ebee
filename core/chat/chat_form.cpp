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

Expected<void> check_turn(const ChatTurn& turn) {
  if (turn.user.empty()) return fail(ErrorCode::bad_text, "the text is empty");
  if (!valid_utf8(turn.user) || !valid_utf8(turn.system.value_or("")))
    return fail(ErrorCode::bad_text, "the text is not UTF-8");
  return {};
}

std::vector<ChatMessage> messages_of(const ChatTurn& turn) {
  std::vector<ChatMessage> messages;
  if (turn.system) messages.push_back({"system", *turn.system});
  messages.push_back({"user", turn.user});
  return messages;
}

/// Takes the token that ends an answer from the front of what stands behind it, with blanks before it, which an answer
/// that ends itself has not. Returns it where it was not there yet.
std::optional<std::int32_t> take_end(const ModelFolder& folder, std::int32_t last, std::string& text) {
  const Tokenizer& tokenizer = folder.tokenizer();
  const std::size_t blanks = std::min(text.find_first_not_of(' '), text.size());
  const auto begins = [&](std::int32_t token) {
    const PieceKind kind = tokenizer.kind(token);
    return (kind == PieceKind::control || kind == PieceKind::user_defined) &&
           std::string_view(text).substr(blanks).starts_with(tokenizer.display(token));
  };
  std::vector<std::int32_t> ends{last};
  ends.insert(ends.end(), folder.eos_ids().begin(), folder.eos_ids().end());
  const auto end = std::ranges::find_if(ends, begins);
  if (end == ends.end()) return {};
  text.erase(0, blanks + tokenizer.display(*end).size());
  if (end == ends.begin()) return {};
  return *end;
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
  NATSCOPE_CHECK(check_turn(turn));
  const std::vector<ChatMessage> messages = messages_of(turn);
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

Expected<ChatFollowUp> ChatForm::follow_up(const ChatTurn& turn, std::int32_t last, std::time_t now) const {
  NATSCOPE_CHECK(check_turn(turn));
  // The template writes a conversation in which the answer is found again.
  std::vector<ChatMessage> talk = messages_of({word_outside(turn.user, "question"), turn.system});
  NATSCOPE_TRY(const std::string asked, template_.write(talk, now));
  const std::string answer = word_outside(turn.user + asked, "answered");
  talk.push_back({"assistant", answer});
  talk.push_back({"user", turn.user});
  NATSCOPE_TRY(const std::string whole, template_.write(talk, now));
  const std::size_t found = whole.find(answer);
  if (found == std::string::npos) {
    return fail(ErrorCode::unsupported_tokenizer, "the chat template leaves earlier answers out",
                "give the whole conversation as the prompt");
  }
  ChatFollowUp made;
  made.text = whole.substr(found + answer.size());
  made.end = take_end(folder_, last, made.text);
  if (without_last_blanks(std::string_view(whole).substr(0, found)) != without_last_blanks(asked))
    made.note = "the chat template writes earlier turns otherwise than they stand in the cache";
  NATSCOPE_CHECK(check_marks(marks_, made.text));
  return made;
}

Expected<void> ChatForm::conversation(std::span<const ChatMessage> messages, std::time_t now,
                                      const std::function<Expected<bool>(const ChatPart& part)>& take) const {
  if (messages.empty()) return fail(ErrorCode::bad_text, "there are no messages");
  for (const ChatMessage& message : messages) {
    if (!valid_utf8(message.content) || !valid_utf8(message.role))
      return fail(ErrorCode::bad_text, "the text is not UTF-8");
  }
  const auto bos = folder_.bos_id();
  const std::string begin = bos ? folder_.tokenizer().display(*bos) : std::string();
  std::string written;
  bool is_wanted = true;
  // Hands over what `text` has behind what was written.
  const auto hand_over = [&](const std::string& text, bool is_answer) -> Expected<void> {
    if (!text.starts_with(written)) {
      return fail(ErrorCode::bad_text, "the chat template writes earlier messages otherwise once others follow",
                  "give each answer with all that stands before it as prompt and answer");
    }
    ChatPart part{text.substr(written.size()), is_answer};
    if (written.empty() && !begin.empty() && part.text.starts_with(begin)) part.text.erase(0, begin.size());
    written = text;
    if (part.text.empty()) return {};
    NATSCOPE_CHECK(check_marks(marks_, part.text));
    NATSCOPE_TRY(is_wanted, take(part));
    return {};
  };
  for (std::size_t i = 0; i < messages.size() && is_wanted; ++i) {
    const bool is_answer = messages[i].role == "assistant";
    if (!is_answer && i + 1 < messages.size()) continue;  // what stands before an answer is one part
    NATSCOPE_TRY(const std::string said, template_.write(messages.first(i + 1), now, false));
    if (is_answer && i > 0) {
      NATSCOPE_TRY(const std::string asked, template_.write(messages.first(i), now, true));
      NATSCOPE_CHECK(hand_over(asked, false));
    } else if (is_answer) {
      // Nobody asked: what the template writes in front of it is not the model's.
      const std::size_t found = said.find(messages[i].content);
      NATSCOPE_CHECK(hand_over(found == std::string::npos ? said : said.substr(0, found), false));
    }
    if (is_wanted) NATSCOPE_CHECK(hand_over(said, is_answer));
  }
  return {};
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
