// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/study_texts.h"

#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/mapped_file.h"
#include "core/base/sha256.h"
#include "core/base/small_file.h"
#include "core/base/utf8.h"
#include "core/tokenizer/tokenizer_trainer.h"
#include "core/train/text/corpus.h"

namespace natscope::reproduce {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t max_book_bytes = std::uint64_t{1} << 30U;
/// Seeds of the marks: those of the test text are none of the training text's.
constexpr std::uint64_t training_marks = 1;
constexpr std::uint64_t test_marks = 2;

Expected<std::string> read_book(const fs::path& path) {
  NATSCOPE_TRY(std::string book, read_small_file(path, max_book_bytes));
  if (!valid_utf8(book)) return fail(ErrorCode::bad_data, printable(path.string()) + " is not UTF-8");
  return book;
}

/// Share of the training text that is drill; the text to score on has none.
constexpr double drill = 0.65;

/// Distances that a segment of `context` tokens can span: a token has two bytes and more.
DistanceText with_marks(const std::string& book, std::int64_t context, double drilled, std::uint64_t seed,
                        std::size_t number) {
  DistanceForm form;
  form.least_distance = context / 8;
  form.most_distance = context * 12 / 5;
  form.drill = drilled;
  form.seed = seed;
  form.number = number;
  return strew_marks(book, form);
}

/// Every book with marks in it, under its number. The folder gets its name when it is whole.
Expected<void> write_training_text(const fs::path& data, std::int64_t context, const fs::path& folder,
                                   const StopToken& stop) {
  const fs::path unfinished = folder.string() + ".unfinished";
  std::error_code problem;
  fs::remove_all(unfinished, problem);
  fs::create_directories(unfinished, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(unfinished.string()) + ": " + problem.message());
  NATSCOPE_TRY(const auto files, train::text_files(data));
  for (std::size_t i = 0; i < files.size(); ++i) {
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_TRY(const std::string book, read_book(files[i]));
    std::string number = std::to_string(i);
    number.insert(0, 5 - std::min<std::size_t>(5, number.size()), '0');
    NATSCOPE_CHECK(write_file_atomically(unfinished / (number + ".txt"),
                                         with_marks(book, context, drill, training_marks, i).text));
  }
  fs::rename(unfinished, folder, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  return {};
}

/// The test text as tokens, as far as it is needed, with its answers.
Expected<DistanceTokens> test_tokens(const TextChoice& choice, const Tokenizer& tokenizer,
                                     std::optional<std::int32_t> bos, const StopToken& stop) {
  DistanceTokens all;
  NATSCOPE_TRY(const auto files, train::text_files(choice.test));
  for (std::size_t i = 0; i < files.size() && static_cast<std::int64_t>(all.tokens.size()) < choice.test_tokens; ++i) {
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_TRY(std::string book, read_book(files[i]));
    DistanceText text;
    if (choice.task == StudyTask::distance)
      text = with_marks(book, choice.context, 0, test_marks, i);
    else
      text.text = std::move(book);
    NATSCOPE_TRY(const DistanceTokens tokens, tokenize(text, tokenizer, bos));
    const auto offset = static_cast<std::int64_t>(all.tokens.size());
    all.tokens.insert(all.tokens.end(), tokens.tokens.begin(), tokens.tokens.end());
    for (const TokenAnswer& a : tokens.answers)
      all.answers.push_back({a.told + offset, a.begin + offset, a.end + offset});
  }
  if (static_cast<std::int64_t>(all.tokens.size()) > choice.test_tokens)
    all.tokens.resize(static_cast<std::size_t>(choice.test_tokens));
  return all;
}

/// Whole segments only. An answer counts when its mark was told behind the segment's first token and before it.
std::vector<ScoredSegment> cut(const DistanceTokens& all, std::int64_t context) {
  std::vector<ScoredSegment> segments;
  const auto size = static_cast<std::int64_t>(all.tokens.size());
  for (std::int64_t begin = 0; begin + context <= size; begin += context) {
    segments.push_back({{all.tokens.begin() + begin, all.tokens.begin() + begin + context}, {}});
  }
  for (const TokenAnswer& a : all.answers) {
    const auto segment = static_cast<std::size_t>(a.told / context);
    const std::int64_t begin = static_cast<std::int64_t>(segment) * context;
    if (segment < segments.size() && a.end <= begin + context)
      segments[segment].answers.push_back({a.told - begin, a.begin - begin, a.end - begin});
  }
  return segments;
}

}  // namespace

Expected<fs::path> training_text(const TextChoice& choice, const std::function<void(const std::string&)>& say,
                                 const StopToken& stop) {
  if (choice.task == StudyTask::books) return choice.data;
  const fs::path marked = choice.out / marked_text_name;
  std::error_code problem;
  if (!fs::exists(marked, problem)) {
    say("strewing marks into the text");
    NATSCOPE_CHECK(write_training_text(choice.data, choice.context, marked, stop));
  }
  return marked;
}

Expected<std::vector<ScoredSegment>> scored_segments(const TextChoice& choice, const Tokenizer& tokenizer,
                                                     std::optional<std::int32_t> bos, const StopToken& stop) {
  NATSCOPE_TRY(const DistanceTokens tokens, test_tokens(choice, tokenizer, bos, stop));
  auto segments = cut(tokens, choice.context);
  if (!segments.empty()) return segments;
  return fail(ErrorCode::bad_data,
              "the text to score on is shorter than one segment of " + std::to_string(choice.context) + " tokens",
              "add text, or raise --test-tokens");
}

Expected<train::RunInputs> inputs_of(const fs::path& data, const std::vector<ScoredSegment>& segments,
                                     const StopToken& stop) {
  Sha256 training;
  NATSCOPE_TRY(const auto files, train::text_files(data));
  for (const fs::path& path : files) {
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_TRY(const MappedFile file, MappedFile::open(path));
    training.update(std::to_string(file.bytes().size()) + "\n");
    training.update(file.bytes());
  }
  Sha256 scored;
  for (const ScoredSegment& segment : segments) scored.update(std::as_bytes(std::span(segment.tokens)));
  return train::RunInputs{{"training text", training.hex_digest()}, {"text to score on", scored.hex_digest()}};
}

Expected<StudyTexts> StudyTexts::prepare(const StudyOptions& options,
                                         const std::function<void(const std::string&)>& say, const StopToken& stop) {
  const TextChoice choice{options.task, options.data,        options.test,
                          options.out,  options.test_tokens, size_of(options).context};
  StudyTexts texts;
  NATSCOPE_TRY(texts.training_, training_text(choice, say, stop));
  texts.tokenizer_ = options.out / vocabulary_name;
  std::error_code problem;
  if (!fs::exists(texts.tokenizer_, problem)) {
    say("training a vocabulary of " + std::to_string(size_of(options).vocab) + " pieces");
    TokenizerTraining training;
    training.vocab_size = size_of(options).vocab;
    // The smallest has hardly room for letters: what is rarer is written in bytes. sentencepiece covers no less.
    constexpr int roomy = 1024;
    if (training.vocab_size < roomy) training.character_coverage = 0.98;
    NATSCOPE_TRY(const auto files, train::text_files(texts.training_));
    NATSCOPE_CHECK(train_tokenizer(files, training, texts.tokenizer_, stop));
  }
  NATSCOPE_TRY(const Tokenizer tokenizer, Tokenizer::load(texts.tokenizer_));
  NATSCOPE_TRY(texts.segments_, scored_segments(choice, tokenizer, tokenizer.bos_id(), stop));
  return texts;
}

}  // namespace natscope::reproduce
