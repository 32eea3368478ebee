// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/text/passkey.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>

#include "core/train/random/counter_random.h"
#include "core/train/random/epoch_order.h"

namespace natscope::train {

namespace {

constexpr auto names = std::to_array<const char*>(
    {"apple",  "bridge", "candle", "desert", "engine", "forest", "garden", "harbour", "island", "jacket",
     "kettle", "ladder", "mirror", "needle", "orange", "pencil", "quarry", "river",   "silver", "tower"});
static_assert(names.size() == most_passkeys);

struct Key {
  std::vector<std::int32_t> sentence;  // tokens
  std::vector<std::int32_t> question;
  std::vector<std::int32_t> answer;
  double depth = 0;
};

Expected<Key> make_key(const char* name, std::uint64_t number, const Tokenizer& tokenizer) {
  Key key;
  const std::string digits = std::to_string(number);
  const std::string subject = std::string("The pass key of the ") + name + " is";
  NATSCOPE_TRY(key.sentence, tokenizer.encode(" " + subject + " " + digits + ". Remember it.\n"));
  NATSCOPE_TRY(key.question, tokenizer.encode("\nWhat is the pass key of the " + std::string(name) + "? " + subject));
  // As in the sentence a blank stands before it; some tokenizers put that in front of every text.
  NATSCOPE_TRY(key.answer, tokenizer.encode(tokenizer.adds_dummy_prefix() ? digits : " " + digits));
  return key;
}

}  // namespace

Expected<PasskeyDocument> passkey_document(std::span<const std::int32_t> text, const PasskeyForm& form,
                                           const Tokenizer& tokenizer, std::optional<std::int32_t> bos) {
  const CounterRandom random(form.seed, random_purpose::passkey, form.number);
  std::uint64_t draws = 0;
  std::array<std::size_t, names.size()> shuffled{};
  std::iota(shuffled.begin(), shuffled.end(), std::size_t{0});
  shuffle(std::span<std::size_t>(shuffled),
          [&](std::size_t n) { return random.below(draws++, static_cast<std::uint32_t>(n)); });

  std::vector<Key> keys;
  std::int64_t used = bos ? 1 : 0;
  const int wanted = std::min(form.keys, static_cast<int>(names.size()));
  for (int i = 0; i < wanted; ++i) {
    NATSCOPE_TRY(Key key, make_key(names[shuffled[static_cast<std::size_t>(i)]], 10'000 + random.below(draws++, 90'000),
                                   tokenizer));
    key.depth = form.least_depth + (form.most_depth - form.least_depth) * static_cast<double>(random.uniform(draws++));
    const auto size = static_cast<std::int64_t>(key.sentence.size() + key.question.size() + key.answer.size());
    if (!keys.empty() && used + size > form.length / 3) break;
    used += size;
    keys.push_back(std::move(key));
  }
  if (keys.empty() || used >= form.length || text.empty()) {
    return fail(ErrorCode::bad_data,
                "no room for a pass key in a document of " + std::to_string(form.length) + " tokens",
                "take longer documents, or no pass keys");
  }

  PasskeyDocument made;
  std::vector<std::int32_t>& tokens = made.document.tokens;
  if (bos) tokens.push_back(*bos);
  const auto room = static_cast<std::size_t>(form.length - used);
  const std::size_t most_begin = text.size() > room ? text.size() - room : 0;
  const std::size_t begin = most_begin == 0 ? 0 : random.bits(draws++) % (most_begin + 1);
  const std::span<const std::int32_t> shown = text.subspan(begin, std::min(room, text.size() - begin));
  std::vector<const Key*> by_depth;
  for (const Key& key : keys) by_depth.push_back(&key);
  std::stable_sort(by_depth.begin(), by_depth.end(), [](const Key* a, const Key* b) { return a->depth < b->depth; });
  std::size_t taken = 0;
  for (const Key* key : by_depth) {
    const auto until = static_cast<std::size_t>(key->depth * static_cast<double>(shown.size()));
    tokens.insert(tokens.end(), shown.begin() + static_cast<std::ptrdiff_t>(taken),
                  shown.begin() + static_cast<std::ptrdiff_t>(until));
    tokens.insert(tokens.end(), key->sentence.begin(), key->sentence.end());
    taken = until;
  }
  tokens.insert(tokens.end(), shown.begin() + static_cast<std::ptrdiff_t>(taken), shown.end());

  std::vector<std::uint8_t>& counted = made.document.counted;
  counted.assign(tokens.size(), 0);
  for (const Key& key : keys) {
    const std::int64_t asked = std::ssize(tokens);
    tokens.insert(tokens.end(), key.question.begin(), key.question.end());
    const auto first = static_cast<std::int64_t>(tokens.size());
    tokens.insert(tokens.end(), key.answer.begin(), key.answer.end());
    counted.resize(tokens.size(), 0);
    // The hidden state of a position predicts the next token.
    std::fill(counted.begin() + (first - 1), counted.end() - 1, std::uint8_t{1});
    made.answers.push_back({key.depth, asked, first, static_cast<std::int64_t>(tokens.size())});
  }
  return made;
}

}  // namespace natscope::train
