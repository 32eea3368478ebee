// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/question_set.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/json/json_lines.h"

namespace natscope {
namespace {

Unexpected bad_line(const std::string& where, const std::string& what) {
  return fail(ErrorCode::bad_data, where + ": " + what,
              "a line is a JSON object with prompt and answer, or with a list of answers");
}

/// The one of the keys that the line has a value for; null without one. Errors: bad_data (of several).
Expected<const nlohmann::json*> member(const nlohmann::json& line, std::initializer_list<const char*> keys,
                                       const std::string& where) {
  const nlohmann::json* one = nullptr;
  const char* name = nullptr;
  for (const char* const key : keys) {
    const auto found = line.find(key);
    if (found == line.end() || found->is_null()) continue;
    if (one != nullptr) return bad_line(where, std::string("it has both ") + name + " and " + key);
    one = &*found;
    name = key;
  }
  return one;
}

/// Errors: bad_data (something else than a text).
Expected<std::string> text_or_nothing(const nlohmann::json& line, const char* key, const std::string& where) {
  NATSCOPE_TRY(const nlohmann::json* const value, member(line, {key}, where));
  if (value == nullptr) return std::string();
  if (!value->is_string()) return bad_line(where, std::string("its ") + key + " is no text");
  return value->get<std::string>();
}

Expected<Question> question_of(const nlohmann::json& line, const std::string& where) {
  if (!line.is_object()) return bad_line(where, "no JSON object");
  NATSCOPE_TRY(const nlohmann::json* const prompt, member(line, {"prompt", "input", "question"}, where));
  if (prompt == nullptr || !prompt->is_string() || prompt->get_ref<const std::string&>().empty())
    return bad_line(where, "it has no prompt");
  NATSCOPE_TRY(const nlohmann::json* const answers, member(line, {"answer", "answers", "outputs"}, where));
  Question question{prompt->get<std::string>(), {}, {}, where};
  NATSCOPE_TRY(question.context, text_or_nothing(line, "context", where));
  NATSCOPE_TRY(question.answer_prefix, text_or_nothing(line, "answer_prefix", where));
  if (answers != nullptr && answers->is_string()) question.answers.push_back(answers->get<std::string>());
  if (answers != nullptr && answers->is_array()) {
    for (const nlohmann::json& answer : *answers) {
      if (!answer.is_string()) return bad_line(where, "an answer is no text");
      question.answers.push_back(answer.get<std::string>());
    }
  }
  const auto is_empty = [](const std::string& answer) { return answer.empty(); };
  if (question.answers.empty() || std::ranges::any_of(question.answers, is_empty))
    return bad_line(where, "it has no answer, or an empty one");
  return question;
}

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  for (char& letter : small) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return small;
}

bool is_punctuation(char letter) {
  return (letter >= '!' && letter <= '/') || (letter >= ':' && letter <= '@') || (letter >= '[' && letter <= '`') ||
         (letter >= '{' && letter <= '~');
}

/// Every character that Unicode calls white space as a blank: what Python's split(), with which SQuAD's and LongBench's
/// scripts count words, parts them at.
std::string with_plain_blanks(std::string text) {
  constexpr auto blanks = std::to_array<std::string_view>(
      {"\x1c",         "\x1d",         "\x1e",         "\x1f",         "\xc2\x85",     "\xc2\xa0",
       "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
       "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
       "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"});
  for (const std::string_view blank : blanks) {
    for (std::size_t at = text.find(blank); at != std::string::npos; at = text.find(blank, at + 1))
      text.replace(at, blank.size(), " ");
  }
  return text;
}

/// How often each word is in a text, and how many there are.
struct Words {
  std::map<std::string, std::int64_t, std::less<>> counts;
  std::int64_t total = 0;

  explicit Words(std::string_view text) {
    std::string small = with_plain_blanks(in_small_letters(text));
    std::erase_if(small, is_punctuation);
    std::istringstream in(small);
    for (std::string word; in >> word;) {
      if (word == "a" || word == "an" || word == "the") continue;
      ++counts[word];
      ++total;
    }
  }
};

double f1(const Words& written, const Words& answer) {
  std::int64_t common = 0;
  for (const auto& [word, count] : written.counts) {
    if (const auto found = answer.counts.find(word); found != answer.counts.end())
      common += std::min(count, found->second);
  }
  if (common == 0) return 0;
  return 2.0 * static_cast<double>(common) / static_cast<double>(written.total + answer.total);
}

}  // namespace

Expected<std::vector<Question>> read_questions(std::string_view text, std::string_view name) {
  std::vector<Question> questions;
  NATSCOPE_CHECK(
      for_each_json_line(text, name, [&](const nlohmann::json& line, const std::string& where) -> Expected<void> {
        NATSCOPE_TRY(Question question, question_of(line, where));
        questions.push_back(std::move(question));
        return {};
      }));
  if (questions.empty())
    return fail(ErrorCode::bad_data, printable(name) + " holds no questions",
                "give a line of JSON for each: {\"prompt\": …, \"answer\": …}");
  return questions;
}

double rightness(std::string_view written, const Question& question, AnswerMatch match) {
  if (match == AnswerMatch::f1) {
    const Words words(written);
    double best = 0;
    for (const std::string& answer : question.answers) best = std::max(best, f1(words, Words(answer)));
    return best;
  }
  const std::string text = in_small_letters(written);
  const auto found = static_cast<double>(std::ranges::count_if(question.answers, [&](const std::string& answer) {
    return text.find(in_small_letters(answer)) != std::string::npos;
  }));
  if (match == AnswerMatch::any) return found > 0 ? 1 : 0;
  return found / static_cast<double>(question.answers.size());
}

}  // namespace natscope
