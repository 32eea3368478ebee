// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/distance_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/train/random/counter_random.h"

namespace natscope::reproduce {
namespace {

/// The marks of each column. A column of its own for every mark: to find the one wanted, it is enough to know whose
/// turn it is.
constexpr auto columns = std::to_array<std::string_view>({"@#$%&", "+=<>|", "~{}[]", "^_/`\\"});

/// Sections of training text, in bytes, and what follows a drill of lines alone.
constexpr double least_section = 1500;
constexpr double most_section = 4500;
/// Bytes between the lines of a drill with words, log-uniformly up to ten times as many.
constexpr std::int64_t nearest = 8;
/// Repetitions of a line in a drill of lines alone.
constexpr int shortest_drill = 1;
constexpr int longest_drill = 5;

enum class Section { far, near, alone };

class Strewer {
 public:
  explicit Strewer(const DistanceForm& form)
      : form_(form), random_(form.seed, train::random_purpose::distance_marks, form.number) {}

  DistanceText strew(std::string_view book) {
    made_.text.reserve(book.size() * 3 / 2);
    begin_section();
    std::int64_t since = 0;
    std::int64_t due = distance();
    while (!book.empty()) {
      const std::size_t word = std::min(book.find(' '), book.size() - 1) + 1;
      made_.text.append(book.substr(0, word));
      since += static_cast<std::int64_t>(word);
      book.remove_prefix(word);
      if (here() >= section_end_) begin_section();
      if (since < due || book.empty()) continue;
      made_.text.append(1, '\n');
      say_line(form_.repetitions);
      since = 0;
      due = distance();
    }
    return std::move(made_);
  }

 private:
  [[nodiscard]] std::int64_t here() const { return static_cast<std::int64_t>(made_.text.size()); }
  [[nodiscard]] double uniform() { return static_cast<double>(random_.uniform(draws_++)); }
  [[nodiscard]] int below(std::size_t bound) {
    return static_cast<int>(random_.below(draws_++, static_cast<std::uint32_t>(bound)));
  }

  /// Bytes of book until the next line.
  [[nodiscard]] std::int64_t distance() {
    const bool far = section_ == Section::far;
    const auto least = static_cast<double>(far ? form_.least_distance : nearest);
    const double ratio = far ? static_cast<double>(form_.most_distance) / least : 10.0;
    return std::llround(least * std::pow(ratio, uniform()));
  }

  void begin_section() {
    section_ = uniform() >= form_.drill ? Section::far : uniform() < 0.5 ? Section::near : Section::alone;
    section_end_ = here() + std::llround(least_section + (most_section - least_section) * uniform());
    if (section_ != Section::alone) return;
    made_.text.append(1, '\n');
    while (here() < section_end_) say_line(shortest_drill + below(longest_drill - shortest_drill + 1));
    section_ = Section::near;
    section_end_ = here() + std::llround(least_section * uniform());
  }

  /// The line said last, or after its repetitions a new one, which will have `repetitions`.
  void say_line(int repetitions) {
    const bool is_new = left_ == 0;
    left_ = is_new ? repetitions : left_ - 1;
    made_.text.append(1, '*');
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (is_new) marks_[i].sign = columns[i][static_cast<std::size_t>(below(columns[i].size()))];
      made_.text.append(1, ' ');
      if (!is_new) made_.answers.push_back({marks_[i].told, here(), here() + 1});
      marks_[i].told = here();
      made_.text.append(1, marks_[i].sign);
    }
    made_.text.append(1, '\n');
  }

  struct Mark {
    char sign = 0;
    std::int64_t told = 0;  // where, the last time
  };

  const DistanceForm& form_;
  train::CounterRandom random_;
  std::uint64_t draws_ = 0;
  Section section_ = Section::far;
  std::int64_t section_end_ = 0;
  int left_ = 0;  // repetitions of the marks said last
  std::array<Mark, columns.size()> marks_{};
  DistanceText made_;
};

}  // namespace

DistanceText strew_marks(std::string_view book, const DistanceForm& form) { return Strewer(form).strew(book); }

Expected<DistanceTokens> tokenize(const DistanceText& text, const Tokenizer& tokenizer,
                                  std::optional<std::int32_t> bos) {
  DistanceTokens made;
  NATSCOPE_TRY(const auto ids, tokenizer.encode(text.text));
  if (bos) made.tokens.push_back(*bos);
  const std::size_t before = made.tokens.size();
  made.tokens.insert(made.tokens.end(), ids.begin(), ids.end());
  if (text.answers.empty()) return made;
  // begins[i]: the byte where token i begins. The blank that encoding puts in front belongs to no byte.
  std::vector<std::int64_t> begins(before, 0);
  std::int64_t at = tokenizer.adds_dummy_prefix() ? -1 : 0;
  for (const std::int32_t id : ids) {
    begins.push_back(std::max<std::int64_t>(at, 0));
    at += static_cast<std::int64_t>(tokenizer.piece_bytes(id).size());
  }
  if (at != static_cast<std::int64_t>(text.text.size())) {
    return fail(ErrorCode::unsupported_tokenizer, "the tokenizer changes the text of the distance task",
                "take --task books, or a model whose tokens spell what they stand for");
  }
  // The token that holds a byte: the last one that begins at or before it.
  const auto token_at = [&begins](std::int64_t byte) {
    return std::upper_bound(begins.begin(), begins.end(), byte) - begins.begin() - 1;
  };
  for (const DistanceAnswer& answer : text.answers)
    made.answers.push_back({token_at(answer.told), token_at(answer.begin), token_at(answer.end - 1) + 1});
  return made;
}

}  // namespace natscope::reproduce
