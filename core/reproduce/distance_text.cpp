// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/distance_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/train/counter_random.h"

namespace natscope::reproduce {
namespace {

using train::CounterRandom;

constexpr auto names = std::to_array<std::string_view>(
    {"Alice",  "Arthur", "Clara",  "Daniel", "David",  "Edith", "Edward", "Emma",  "Frank", "George", "Grace",
     "Harry",  "Helen",  "Henry",  "Jack",   "James",  "Jane",  "John",   "Julia", "Kate",  "Laura",  "Lewis",
     "Louise", "Lucy",   "Martin", "Mary",   "Oliver", "Peter", "Philip", "Rose",  "Ruth",  "Thomas"});
constexpr auto words = std::to_array<std::string_view>(
    {"apple", "bell",  "bird",  "boat", "book",   "bread", "bridge", "candle", "castle",   "cloud", "copper",
     "crown", "door",  "field", "fire", "fish",   "flag",  "flower", "forest", "garden",   "glass", "gold",
     "hand",  "horse", "house", "iron", "island", "lamp",  "leaf",   "moon",   "mountain", "paper", "river",
     "road",  "rock",  "sea",   "ship", "silver", "snow",  "star",   "stone",  "sword",    "table", "tower"});

/// A fact that waits to be said again.
struct Pending {
  std::size_t name = 0;
  std::size_t word = 0;
  int left = 0;           // times
  std::int64_t said = 0;  // where, the last time
  std::int64_t due = 0;
};

class Strewer {
 public:
  explicit Strewer(const DistanceForm& form)
      : form_(form), random_(form.seed, train::random_purpose::distance_facts, form.number) {}

  DistanceText strew(std::string_view book) {
    made_.text.reserve(book.size() * 3 / 2);
    while (!book.empty()) {
      const std::size_t line = std::min(book.find('\n'), book.size() - 1) + 1;
      made_.text.append(book.substr(0, line));
      since_ += static_cast<std::int64_t>(line);
      book.remove_prefix(line);
      if (made_.text.back() == '\n' && since_ >= form_.gap && !book.empty()) say_something();
    }
    return std::move(made_);
  }

 private:
  [[nodiscard]] std::int64_t here() const { return static_cast<std::int64_t>(made_.text.size()); }

  /// What is due comes first; else a new fact, while there are names for it.
  void say_something() {
    const auto due = std::min_element(pending_.begin(), pending_.end(),
                                      [](const Pending& a, const Pending& b) { return a.due < b.due; });
    if (due != pending_.end() && due->due <= here()) {
      const std::int64_t before = due->said;
      say(*due);
      const std::int64_t end = due->said + 1 + static_cast<std::int64_t>(words[due->word].size());
      made_.answers.push_back({before, due->said, end});
      if (--due->left == 0) pending_.erase(due);
    } else if (pending_.size() < names.size()) {
      Pending fact;
      fact.name = unused_name();
      fact.word = random_.below(draws_++, words.size());
      fact.left = form_.repetitions;
      say(fact);
      pending_.push_back(fact);
    }
    since_ = 0;
  }

  /// Appends the sentence. It was said where its last word begins, the blank in front included.
  void say(Pending& fact) {
    made_.text.append("The sign reads ").append(names[fact.name]);
    fact.said = here();
    made_.text.append(" ").append(words[fact.word]).append(".\n");
    const double ratio = static_cast<double>(form_.most_distance) / static_cast<double>(form_.least_distance);
    fact.due = fact.said + std::llround(static_cast<double>(form_.least_distance) *
                                        std::pow(ratio, static_cast<double>(random_.uniform(draws_++))));
  }

  std::size_t unused_name() {
    std::size_t name = random_.below(draws_++, names.size());
    while (std::any_of(pending_.begin(), pending_.end(), [name](const Pending& p) { return p.name == name; }))
      name = (name + 1) % names.size();
    return name;
  }

  const DistanceForm& form_;
  CounterRandom random_;
  std::uint64_t draws_ = 0;
  std::int64_t since_ = 0;
  std::vector<Pending> pending_;
  DistanceText made_;
};

}  // namespace

DistanceText strew_facts(std::string_view book, const DistanceForm& form) { return Strewer(form).strew(book); }

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
    made.answers.push_back({token_at(answer.fact), token_at(answer.begin), token_at(answer.end - 1) + 1});
  return made;
}

}  // namespace natscope::reproduce
