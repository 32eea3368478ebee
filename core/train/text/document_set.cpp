// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/text/document_set.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/mapped_file.h"
#include "core/chat/chat_form.h"
#include "core/json/json_lines.h"
#include "core/tokenizer/follow_up_tokens.h"
#include "core/train/text/corpus.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t shortest_rest = 16;

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// What templates that write the date are told: the same whenever a run goes on, which it does with the same text
/// alone. Llama 3's is this where it is told none.
std::time_t date_of_conversations() {
  constexpr std::time_t day = 1721995200;  // 2024-07-26, at noon
  return std::getenv("SOURCE_DATE_EPOCH") != nullptr ? chat_time() : day;
}

Document begun(const DocumentForm& form) {
  Document document;
  if (form.bos) document.tokens.push_back(*form.bos);
  return document;
}

void add_tokens(std::span<const std::int32_t> tokens, const DocumentForm& form, Document& document) {
  document.tokens.insert(document.tokens.end(), tokens.begin(), tokens.end());
  for (const std::int32_t token : tokens) document.bytes += form.tokenizer->piece_bytes(token).size();
}

Expected<void> add_text(std::string_view text, const fs::path& path, const DocumentForm& form,
                        std::vector<Document>& documents) {
  auto tokens = form.tokenizer->encode(text);
  if (!tokens) {
    return Unexpected(of_text(std::move(tokens).error(), printable(path.string())));
  }
  const std::size_t room = static_cast<std::size_t>(form.length) - (form.bos ? 1 : 0);
  for (std::size_t begin = 0; begin < tokens->size(); begin += room) {
    const std::size_t count = std::min(room, tokens->size() - begin);
    if (begin > 0 && count < shortest_rest) break;
    Document document = begun(form);
    add_tokens(std::span(*tokens).subspan(begin, count), form, document);
    if (document.size() >= 2) documents.push_back(std::move(document));
  }
  return {};
}

/// Errors of a line: bad_data.
Unexpected bad_line(const std::string& where, const std::string& what) {
  return fail(ErrorCode::bad_data, where + ": " + what,
              "a line of a *.jsonl file is a JSON object with text, with prompt and answer, or with messages");
}

/// The chat template's, read when the first conversation comes.
class Conversations {
 public:
  Conversations(const DocumentForm& form, std::time_t now) : form_(form), now_(now) {}

  /// Errors: bad_data, those of ChatForm and `take`. They say `where`, except that a template which cannot be read is
  /// of no line: ChatForm::of.
  [[nodiscard]] Expected<void> take_apart(const nlohmann::json& messages, const std::string& where,
                                          const std::function<Expected<bool>(const ChatPart&)>& take) {
    std::vector<ChatMessage> list;
    if (!messages.is_array()) return bad_line(where, "messages is not a list");
    for (const nlohmann::json& message : messages) {
      const auto is_text = [&](const char* key) {
        return message.is_object() && message.contains(key) && message.at(key).is_string();
      };
      if (!is_text("role") || !is_text("content")) return bad_line(where, "a message has no role and content");
      list.push_back({message.at("role"), message.at("content")});
    }
    if (!chat_) {
      if (form_.folder == nullptr) return bad_line(where, "messages, but no model to write them for");
      NATSCOPE_TRY(chat_, ChatForm::of(*form_.folder));
    }
    const auto made = chat_->conversation(list, now_, take);
    if (made) return made;
    return Unexpected(of_text(made.error(), where));
  }

 private:
  const DocumentForm& form_;
  std::time_t now_;
  std::optional<ChatForm> chat_;
};

/// A token of an answer is predicted by the position before it. Whether there is one.
bool mark_answer(std::size_t first, std::size_t end, Document& document) {
  document.counted.resize(document.tokens.size(), 0);
  first = std::max<std::size_t>(first, 1);
  for (std::size_t at = first; at < end; ++at) document.counted[at - 1] = 1;
  return first < end;
}

Expected<Document> conversation_of(const nlohmann::json& messages, const std::string& where, const DocumentForm& form,
                                   Conversations& conversations, const StopToken& stop) {
  Document document = begun(form);
  const auto room = static_cast<std::size_t>(form.length);
  bool is_first = true;
  bool is_answered = false;
  const auto add_part = [&](const ChatPart& part) -> Expected<bool> {
    NATSCOPE_CHECK(check(stop));
    const std::size_t first = document.tokens.size();
    // As Engine::tokenize reads what begins a text, and Engine::tokenize_follow_up what goes on.
    const bool begins = std::exchange(is_first, false) || first == 0;
    NATSCOPE_TRY(auto tokens, begins ? form.tokenizer->encode(part.text)
                                     : follow_up_tokens(*form.tokenizer, document.tokens.back(), part.text));
    tokens.resize(std::min(tokens.size(), room - std::min(room, first)));
    add_tokens(tokens, form, document);
    document.counted.resize(document.tokens.size(), 0);
    if (part.is_answer && mark_answer(first, document.tokens.size(), document)) is_answered = true;
    return document.tokens.size() < room;
  };
  NATSCOPE_CHECK(conversations.take_apart(messages, where, add_part));
  if (!is_answered)
    return bad_line(where, "no answer of an assistant in its first " + std::to_string(room) + " tokens");
  return document;
}

/// A string member's tokens; nothing where it is not there.
Expected<std::optional<std::vector<std::int32_t>>> member(const nlohmann::json& line, const char* key,
                                                          const std::string& where, const DocumentForm& form) {
  const auto found = line.find(key);
  if (found == line.end()) return std::optional<std::vector<std::int32_t>>();
  if (!found->is_string()) return bad_line(where, std::string(key) + " is not text");
  auto tokens = form.tokenizer->encode(found->get_ref<const std::string&>());
  if (!tokens) {
    return Unexpected(of_text(std::move(tokens).error(), where + ": " + key));
  }
  return std::optional(std::move(*tokens));
}

Expected<Document> document_of(const nlohmann::json& line, const std::string& where, const DocumentForm& form,
                               Conversations& conversations, const StopToken& stop) {
  if (!line.is_object()) return bad_line(where, "no JSON object");
  const auto messages = line.find("messages");
  // Many data sets have the first question beside them; a whole text counts as before there were messages.
  if (messages != line.end() && !line.contains("text") && !line.contains("answer"))
    return conversation_of(*messages, where, form, conversations, stop);
  NATSCOPE_TRY(auto text, member(line, "text", where, form));
  NATSCOPE_TRY(auto prompt, member(line, "prompt", where, form));
  NATSCOPE_TRY(auto answer, member(line, "answer", where, form));
  const bool is_answered = prompt.has_value() && answer.has_value();
  if (text.has_value() == is_answered || prompt.has_value() != answer.has_value()) {
    return bad_line(where, "neither a text nor a prompt with its answer, or both");
  }
  Document document = begun(form);
  const std::size_t room = static_cast<std::size_t>(form.length) - document.tokens.size();
  if (text) {
    add_tokens(std::span(*text).first(std::min(text->size(), room)), form, document);
  } else if (prompt && answer) {
    // What follows from nothing teaches nothing: of two that are too long half of the room is the prompt's end.
    answer->resize(std::min(answer->size(), room - std::min(prompt->size(), room / 2)));
    const std::size_t kept = std::min(prompt->size(), room - answer->size());
    add_tokens(std::span(*prompt).last(kept), form, document);
    if (answer->empty()) return bad_line(where, "the answer is empty");
    const std::size_t first = document.tokens.size();
    add_tokens(*answer, form, document);
    static_cast<void>(mark_answer(first, document.tokens.size(), document));
  }
  if (document.size() < 2) return bad_line(where, "the text is empty");
  return document;
}

Expected<void> add_lines(const MappedFile& file, const fs::path& path, const DocumentForm& form, const StopToken& stop,
                         std::vector<Document>& documents) {
  Conversations conversations(form, date_of_conversations());
  return for_each_json_line(text_of(file), path.string(),
                            [&](const nlohmann::json& line, const std::string& where) -> Expected<void> {
                              NATSCOPE_CHECK(check(stop));
                              NATSCOPE_TRY(Document document, document_of(line, where, form, conversations, stop));
                              documents.push_back(std::move(document));
                              return {};
                            });
}

}  // namespace

Expected<std::vector<Document>> read_documents(const fs::path& path, const DocumentForm& form, const StopToken& stop) {
  NATSCOPE_TRY(const auto files, text_files(path));
  std::vector<Document> documents;
  for (const fs::path& name : files) {
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_TRY(const MappedFile file, MappedFile::open(name));
    if (name.extension() == ".jsonl") {
      NATSCOPE_CHECK(add_lines(file, name, form, stop, documents));
    } else {
      NATSCOPE_CHECK(add_text(text_of(file), name, form, documents));
    }
  }
  if (documents.empty()) return fail(ErrorCode::bad_data, printable(path.string()) + " holds no documents");
  return documents;
}

}  // namespace natscope::train
