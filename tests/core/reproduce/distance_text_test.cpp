// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/distance_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "core/base/atomic_file.h"
#include "core/io/tokenizer_trainer.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::reproduce;
using natscope::test::TemporaryFolder;

namespace {

/// Lines of different lengths, none of which looks like a mark.
std::string some_book(int lines) {
  std::string book;
  for (int i = 0; i < lines; ++i) {
    book += "a line of a book that goes on for some time";
    book.append(static_cast<std::size_t>(i * 7 % 23), 'x');
    book += '\n';
  }
  return book;
}

std::string without_marks(std::string text) {
  for (std::size_t at = 0; (at = text.find("* ")) != std::string::npos;) {
    text.erase(at, text.find('\n', at) + 1 - at);
  }
  return text;
}

}  // namespace

TEST_CASE("marks come again at the distances that were wanted, and the book stays whole") {
  const std::string book = some_book(4000);
  const DistanceForm form{60, 100, 3000, 4, 5, 1};
  const DistanceText made = strew_marks(book, form);
  CHECK(without_marks(made.text) == book);
  REQUIRE(made.answers.size() > 200);
  std::int64_t before = 0;
  std::int64_t far = 0;
  for (const DistanceAnswer& answer : made.answers) {
    CHECK(answer.begin > before);
    before = answer.begin;
    CHECK(answer.end == answer.begin + 1);
    CHECK(made.text[static_cast<std::size_t>(answer.told)] == made.text[static_cast<std::size_t>(answer.begin)]);
    CHECK(made.text[static_cast<std::size_t>(answer.end)] == '\n');
    const std::int64_t distance = answer.begin - answer.told;
    CHECK(distance >= form.least_distance);
    far += distance > 1000 ? 1 : 0;
  }
  // Log-uniform between 100 and 3000: a third lies beyond 1000.
  CHECK(far > static_cast<std::int64_t>(made.answers.size() / 5));
}

TEST_CASE("nothing nearer tells a mark: between two lines of a place there is none of its marks") {
  const DistanceText made = strew_marks(some_book(3000), {60, 100, 2500, 3, 1, 0});
  std::int64_t changed = 0;
  for (const DistanceAnswer& answer : made.answers) {
    const std::size_t line = made.text.rfind('\n', static_cast<std::size_t>(answer.begin)) + 1;
    const std::string subject = made.text.substr(line, static_cast<std::size_t>(answer.begin) - line);
    CHECK(subject.starts_with("* "));
    const std::size_t previous = made.text.rfind(subject, line - 1);
    CHECK(static_cast<std::int64_t>(previous + subject.size()) == answer.told);
  }
  // After its repetitions a place gets a new mark, which nobody can foresee and no answer asks for.
  for (std::size_t at = 0; (at = made.text.find("* door ", at)) != std::string::npos; at += 7) {
    const bool asked = std::any_of(made.answers.begin(), made.answers.end(), [at](const DistanceAnswer& answer) {
      return answer.begin == static_cast<std::int64_t>(at + 7);
    });
    changed += asked ? 0 : 1;
  }
  CHECK(changed > 5);
}

TEST_CASE("the text is a function of book and form") {
  const std::string book = some_book(300);
  CHECK(strew_marks(book, {50, 100, 900, 3, 5, 1}).text == strew_marks(book, {50, 100, 900, 3, 5, 1}).text);
  CHECK(strew_marks(book, {50, 100, 900, 3, 5, 1}).text != strew_marks(book, {50, 100, 900, 3, 5, 2}).text);
  CHECK(strew_marks(book, {50, 100, 900, 3, 5, 1}).text != strew_marks(book, {50, 100, 900, 3, 6, 1}).text);
  CHECK(strew_marks("", {}).text.empty());
  CHECK(strew_marks("no line break", {1, 1, 2, 1, 0, 0}).text == "no line break");
}

TEST_CASE("answers are found among the tokens") {
  const TemporaryFolder folder;
  const DistanceText made = strew_marks(some_book(600), {50, 100, 1500, 3, 2, 0});
  REQUIRE(write_file_atomically(folder.path() / "text.txt", std::string_view(made.text)));
  TokenizerTraining training;
  training.vocab_size = 320;
  const std::filesystem::path files[] = {folder.path() / "text.txt"};
  REQUIRE(train_tokenizer(files, training, folder.path() / "tokenizer.model", {}));
  const auto tokenizer = Tokenizer::load(folder.path() / "tokenizer.model");
  REQUIRE(tokenizer);
  const auto tokens = tokenize(made, *tokenizer);
  REQUIRE(tokens);
  REQUIRE(tokens->answers.size() == made.answers.size());
  for (std::size_t i = 0; i < made.answers.size(); ++i) {
    const TokenAnswer& at = tokens->answers[i];
    std::string said;
    for (std::int64_t n = at.begin; n < at.end; ++n)
      said += tokenizer->piece_bytes(tokens->tokens[static_cast<std::size_t>(n)]);
    const DistanceAnswer& answer = made.answers[i];
    CHECK(said.find(made.text.substr(static_cast<std::size_t>(answer.begin),
                                     static_cast<std::size_t>(answer.end - answer.begin))) != std::string::npos);
    CHECK(at.told < at.begin);
  }
}
