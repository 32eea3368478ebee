// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/question_set.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

TEST_CASE("questions are read from lines of JSON, under our names and RULER's") {
  const auto questions = read_questions(
      "{\"prompt\": \"What is it?\", \"answer\": \"a cat\", \"other\": 3}\n\n"
      "{\"prompt\": \"Which?\", \"answers\": [\"1\", \"2\"]}\r\n"
      "{\"input\": \"Keys?\", \"outputs\": [\"7\"], \"answer\": null, \"answer_prefix\": \" It is\"}",
      "q.jsonl");
  REQUIRE(questions);
  REQUIRE(questions->size() == 3);
  CHECK((*questions)[0].prompt == "What is it?");
  CHECK((*questions)[0].answers == std::vector<std::string>{"a cat"});
  CHECK((*questions)[1].answers == std::vector<std::string>{"1", "2"});
  CHECK((*questions)[1].where == "q.jsonl, line 3");
  CHECK((*questions)[2].prompt == "Keys?");
  CHECK((*questions)[2].answer_prefix == " It is");
  CHECK((*questions)[1].answer_prefix.empty());
  CHECK((*questions)[2].answers == std::vector<std::string>{"7"});
}

TEST_CASE("a line that is no question is named") {
  for (const char* const line :
       {"3", "[]", "{", "{\"prompt\": 3, \"answer\": \"a\"}", "{\"prompt\": \"\", \"answer\": \"a\"}",
        "{\"answer\": \"a\"}", "{\"prompt\": \"a\"}", "{\"prompt\": \"a\", \"answer\": \"\"}",
        "{\"prompt\": \"a\", \"answers\": []}", "{\"prompt\": \"a\", \"answers\": [\"b\", \"\"]}",
        "{\"prompt\": \"a\", \"answers\": [3]}", "{\"prompt\": \"a\", \"answer\": 3}",
        "{\"prompt\": \"a\", \"answer\": \"b\", \"answer_prefix\": 3}",
        "{\"prompt\": \"a\", \"answer\": \"b\", \"answers\": [\"c\"]}",
        "{\"prompt\": \"a\", \"input\": \"b\", \"answer\": \"c\"}"}) {
    CAPTURE(line);
    const auto questions = read_questions("{\"prompt\": \"a\", \"answer\": \"b\"}\n" + std::string(line), "q.jsonl");
    REQUIRE(!questions);
    CHECK(questions.error().code == ErrorCode::bad_data);
    CHECK(questions.error().message.find("q.jsonl, line 2") != std::string::npos);
  }
  CHECK(read_questions("\n \n", "q.jsonl").error().code == ErrorCode::bad_data);
}

TEST_CASE("an answer counts wherever it stands, in capital letters or small ones") {
  const Question one{"", "", {"River Thames"}, ""};
  CHECK(rightness("It is the RIVER thames, I think.", one, AnswerMatch::any) == 1);
  CHECK(rightness("It is the river  Thames", one, AnswerMatch::any) == 0);
  CHECK(rightness("", one, AnswerMatch::all) == 0);
  const Question several{"", "", {"12", "34", "É"}, ""};
  CHECK(rightness("34", several, AnswerMatch::any) == 1);
  CHECK(rightness("34", several, AnswerMatch::all) == doctest::Approx(1.0 / 3));
  CHECK(rightness("3412é", several, AnswerMatch::all) == doctest::Approx(2.0 / 3));
  CHECK(rightness("5", several, AnswerMatch::any) == 0);
}

/// What SQuAD's evaluation script gives for these, computed with it.
TEST_CASE("F1 counts the words that the text and an answer have in common") {
  const auto f1 = [](const char* written, std::vector<std::string> answers) {
    return rightness(written, Question{"", "", std::move(answers), ""}, AnswerMatch::f1);
  };
  CHECK(f1("It is the River Thames, I think.", {"River Thames"}) == doctest::Approx(0.5));
  CHECK(f1("river-thames", {"River Thames"}) == 0);
  CHECK(f1("the the the a", {"the"}) == 0);
  CHECK(f1("cat cat dog", {"a cat, a cat, a cat"}) == doctest::Approx(2.0 / 3));
  CHECK(f1("An “answer” of 3.5 kg", {"3.5 kg"}) == doctest::Approx(2.0 / 3));
  CHECK(f1("", {"x"}) == 0);
  // As Python's split() parts them, with which those scripts count.
  CHECK(f1("b\u00a0c", {"b c"}) == 1);
  CHECK(f1("tab\u2003wide\u3000space\u0085end", {"tab wide space end"}) == 1);
  CHECK(f1("b\u200bc", {"b c"}) == 0);
  CHECK(f1("the Queen's  cat\nand the cat", {"Queens cat"}) == doctest::Approx(2.0 / 3));
  CHECK(f1("It is the River Thames", {"x", "Thames", "River Thames"}) == doctest::Approx(2.0 / 3));
}

}  // namespace
}  // namespace natscope
