// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/question_set.h"

#include <algorithm>
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

/// The first of the keys that the line has a value for; null without one.
const nlohmann::json* member(const nlohmann::json& line, std::initializer_list<const char*> keys) {
  for (const char* const key : keys) {
    if (const auto found = line.find(key); found != line.end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

Expected<Question> question_of(const nlohmann::json& line, const std::string& where) {
  if (!line.is_object()) return bad_line(where, "no JSON object");
  const nlohmann::json* const prompt = member(line, {"prompt", "input"});
  if (prompt == nullptr || !prompt->is_string() || prompt->get_ref<const std::string&>().empty())
    return bad_line(where, "it has no prompt");
  const nlohmann::json* const answers = member(line, {"answer", "answers", "outputs"});
  Question question{prompt->get<std::string>(), {}, {}, where};
  if (const nlohmann::json* const prefix = member(line, {"answer_prefix"})) {
    if (!prefix->is_string()) return bad_line(where, "its answer_prefix is no text");
    question.answer_prefix = prefix->get<std::string>();
  }
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

/// How often each word is in a text, and how many there are.
struct Words {
  std::map<std::string, std::int64_t, std::less<>> counts;
  std::int64_t total = 0;

  explicit Words(std::string_view text) {
    std::string small = in_small_letters(text);
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
