// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/distance_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/train/counter_random.h"

namespace natscope::reproduce {
namespace {

/// A place, and the marks that it alone may have.
struct Place {
  std::string_view name;
  std::string_view marks;
};
constexpr auto places = std::to_array<Place>(
    {{"door", "@#$%^&"}, {"house", "+=<>/|"}, {"window", "~{}[]_"}, {"room", "012345"}, {"bed", "6789`\\"}});

/// The mark of a place that waits to be said again.
struct Mark {
  char sign = 0;
  int left = 0;           // repetitions
  std::int64_t told = 0;  // where, the last time
  std::int64_t due = 0;
};

class Strewer {
 public:
  explicit Strewer(const DistanceForm& form)
      : form_(form), random_(form.seed, train::random_purpose::distance_marks, form.number) {}

  DistanceText strew(std::string_view book) {
    made_.text.reserve(book.size() * 3 / 2);
    while (!book.empty()) {
      const std::size_t line = std::min(book.find('\n'), book.size() - 1) + 1;
      made_.text.append(book.substr(0, line));
      since_ += static_cast<std::int64_t>(line);
      book.remove_prefix(line);
      if (made_.text.back() == '\n' && since_ >= form_.gap && !book.empty()) say_what_is_due();
    }
    return std::move(made_);
  }

 private:
  [[nodiscard]] std::int64_t here() const { return static_cast<std::int64_t>(made_.text.size()); }

  /// The place that waited longest, where one does.
  void say_what_is_due() {
    const auto next =
        std::min_element(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) { return a.due < b.due; });
    if (next->due > here()) return;
    const Place& place = places[static_cast<std::size_t>(next - marks_.begin())];
    const bool is_new = next->left == 0;
    if (is_new) {
      next->sign = place.marks[random_.below(draws_++, static_cast<std::uint32_t>(place.marks.size()))];
      next->left = form_.repetitions + 1;
    }
    --next->left;
    made_.text.append("* ").append(place.name).append(" ");
    if (!is_new) made_.answers.push_back({next->told, here(), here() + 1});
    next->told = here();
    made_.text.append(1, next->sign).append("\n");
    const double ratio = static_cast<double>(form_.most_distance) / static_cast<double>(form_.least_distance);
    next->due = next->told + std::llround(static_cast<double>(form_.least_distance) *
                                          std::pow(ratio, static_cast<double>(random_.uniform(draws_++))));
    since_ = 0;
  }

  const DistanceForm& form_;
  train::CounterRandom random_;
  std::uint64_t draws_ = 0;
  std::int64_t since_ = 0;
  std::array<Mark, places.size()> marks_{};
  DistanceText made_;
};

}  // namespace

DistanceText strew_marks(std::string_view book, const DistanceForm& form) { return Strewer(form).strew(book); }

Expected<DistanceTokens> tokenize(const DistanceText& text, const Tokenizer& tokenizer) {
  DistanceTokens made;
  NATSCOPE_TRY(const auto ids, tokenizer.encode(text.text));
  if (const auto bos = tokenizer.bos_id()) made.tokens.push_back(*bos);
  // begins[i]: the byte where token i begins. The blank that encoding puts in front belongs to no byte.
  std::vector<std::int64_t> begins(made.tokens.size(), 0);
  std::int64_t at = tokenizer.adds_dummy_prefix() ? -1 : 0;
  for (const std::int32_t id : ids) {
    begins.push_back(std::max<std::int64_t>(at, 0));
    at += static_cast<std::int64_t>(tokenizer.piece_bytes(id).size());
  }
  if (at != static_cast<std::int64_t>(text.text.size())) {
    return fail(ErrorCode::internal, "the tokens of the distance task do not spell its text");
  }
  made.tokens.insert(made.tokens.end(), ids.begin(), ids.end());
  // The token that holds a byte: the last one that begins at or before it.
  const auto token_at = [&begins](std::int64_t byte) {
    return std::upper_bound(begins.begin(), begins.end(), byte) - begins.begin() - 1;
  };
  for (const DistanceAnswer& answer : text.answers)
    made.answers.push_back({token_at(answer.told), token_at(answer.begin), token_at(answer.end - 1) + 1});
  return made;
}

}  // namespace natscope::reproduce
