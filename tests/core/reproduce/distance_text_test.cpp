// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/distance_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "core/base/atomic_file.h"
#include "core/tokenizer/tokenizer_trainer.h"
#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::reproduce;
using natscope::test::TemporaryFolder;

namespace {

/// Words of different lengths, none of which looks like a mark.
std::string some_book(int lines) {
  std::string book;
  for (int i = 0; i < lines; ++i) {
    book += "a line of a book that goes on for some time";
    book.append(static_cast<std::size_t>(i * 7 % 23), 'x');
    book += '\n';
  }
  return book;
}

/// Lines of marks go; so does the break in front of each, which the book did not have.
std::string without_marks(std::string text) {
  for (std::size_t at = 0; (at = text.find("\n* ")) != std::string::npos;) {
    text.erase(at, text.find('\n', at + 1) + 1 - at);
  }
  return text;
}

char at(const std::string& text, std::int64_t place) { return text[static_cast<std::size_t>(place)]; }

}  // namespace

TEST_CASE("marks come again at the distances that were wanted, and the book stays whole") {
  const std::string book = some_book(4000);
  DistanceForm form;
  form.least_distance = 100;
  form.most_distance = 3000;
  form.repetitions = 4;
  const DistanceText made = strew_marks(book, form);
  CHECK(without_marks(made.text) == book);
  REQUIRE(made.answers.size() > 200);
  std::int64_t before = 0;
  std::int64_t far = 0;
  for (const DistanceAnswer& answer : made.answers) {
    CHECK(answer.begin > before);
    before = answer.begin;
    CHECK(answer.end == answer.begin + 1);
    CHECK(at(made.text, answer.told) == at(made.text, answer.begin));
    const std::int64_t distance = answer.begin - answer.told;
    CHECK(distance >= form.least_distance);
    far += distance > 1000 ? 1 : 0;
    // Nothing nearer tells it: between the two there is none of its column's marks.
    const std::string between =
        made.text.substr(static_cast<std::size_t>(answer.told) + 1, static_cast<std::size_t>(distance) - 1);
    CHECK(between.find(at(made.text, answer.begin)) == std::string::npos);
  }
  // Log-uniform between 100 and 3000: a third lies beyond 1000.
  CHECK(far > static_cast<std::int64_t>(made.answers.size() / 5));
}

TEST_CASE("after its repetitions a line gets new marks, which nobody can foresee and no answer asks for") {
  DistanceForm form;
  form.repetitions = 3;
  const DistanceText made = strew_marks(some_book(3000), form);
  std::int64_t lines = 0;
  for (std::size_t line = 0; (line = made.text.find("\n* ", line)) != std::string::npos; line += 3) {
    const auto first = static_cast<std::int64_t>(line) + 3;
    const auto asked = std::count_if(made.answers.begin(), made.answers.end(), [first](const DistanceAnswer& answer) {
      return answer.begin >= first && answer.begin < first + 8;
    });
    CHECK(asked == (lines % 4 == 0 ? 0 : 4));
    ++lines;
  }
  CHECK(lines > 20);
}

TEST_CASE("drill is what was asked for: lines close together, and as large a part of the text") {
  DistanceForm form;
  form.drill = 0.6;
  const std::string book = some_book(20000);
  const DistanceText made = strew_marks(book, form);
  const auto close = std::count_if(made.answers.begin(), made.answers.end(),
                                   [](const DistanceAnswer& a) { return a.begin - a.told < 100; });
  CHECK(close > static_cast<std::int64_t>(made.answers.size() * 4 / 5));
  CHECK(close < static_cast<std::int64_t>(made.answers.size()));
  // Three sections in ten are lines alone, as long as the others.
  CHECK(made.text.size() > book.size() * 13 / 10);
  CHECK(made.text.size() < book.size() * 2);
  form.drill = 0;
  for (const DistanceAnswer& answer : strew_marks(book, form).answers)
    CHECK(answer.begin - answer.told >= form.least_distance);
}

TEST_CASE("the text is a function of book and form") {
  const std::string book = some_book(300);
  DistanceForm form;
  form.drill = 0.5;
  const std::string text = strew_marks(book, form).text;
  CHECK(strew_marks(book, form).text == text);
  form.number = 1;
  CHECK(strew_marks(book, form).text != text);
  form.number = 0;
  form.seed = 1;
  CHECK(strew_marks(book, form).text != text);
  CHECK(strew_marks("", {}).text.empty());
  CHECK(strew_marks("nospace", {}).text == "nospace");
}

TEST_CASE("answers are found among the tokens") {
  const TemporaryFolder folder;
  const DistanceText made = strew_marks(some_book(600), {});
  REQUIRE(write_file_atomically(folder.path() / "text.txt", std::string_view(made.text)));
  TokenizerTraining training;
  training.vocab_size = 320;
  const std::filesystem::path files[] = {folder.path() / "text.txt"};
  REQUIRE(train_tokenizer(files, training, folder.path() / "tokenizer.model", {}));
  const auto tokenizer = Tokenizer::load(folder.path() / "tokenizer.model");
  REQUIRE(tokenizer);
  const auto tokens = tokenize(made, *tokenizer, tokenizer->bos_id());
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

TEST_CASE("text without answers need not be spelled by its tokens, and may be empty") {
  const TemporaryFolder folder;
  // A tokenizer that makes one blank of several, and none of those at the ends.
  test::SentencepieceBytes bytes = test::small_sentencepiece();
  bytes.normalizer =
      test::proto_bytes(1, "identity") + test::proto_varint(3, 1) + test::proto_varint(4, 1) + test::proto_varint(5, 1);
  test::write_bytes(folder / "tokenizer.model", bytes.serialized());
  const auto tokenizer = Tokenizer::load(folder / "tokenizer.model");
  REQUIRE_MESSAGE(tokenizer, (tokenizer ? "" : tokenizer.error().message));
  const auto book = tokenize({"a bad  cab ", {}}, *tokenizer, {});
  REQUIRE(book);
  CHECK(book->tokens.size() > 3);
  CHECK(tokenize({}, *tokenizer, {}));
  const auto asked = tokenize({"a bad  cab ", {{0, 2, 3}}}, *tokenizer, {});
  REQUIRE_FALSE(asked);
  CHECK(asked.error().code == ErrorCode::unsupported_tokenizer);
}
