// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/pre_tokenizer_steps.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "core/tokenizer/huggingface/byte_level.h"
#include "core/tokenizer/huggingface/json_parts.h"

namespace natscope {
namespace {

/// GPT-2's, which ByteLevel applies itself unless told not to.
constexpr const char* gpt2_pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Ends of patterns in use (GPT-2, Llama 3, Qwen 2 and 3) in which letters go on as long as they can, a blank before a
/// letter belongs to it, and nothing else takes either: they cut before every blank between letters.
constexpr auto known_patterns = std::to_array<std::string_view>(
    {gpt2_pattern,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"});

/// One stands for every blank of a text.
constexpr std::size_t longest_mark = 64;

/// Two digits and a numeral more than patterns know: these words are cut by another library's Unicode, version 17.
constexpr const char* digit = R"([\p{N}\x{11DE0}-\x{11DE9}\x{16FF4}-\x{16FF6}])";
/// ASCII's, and what is punctuation in Unicode 8.
constexpr const char* punctuation =
    R"((?![\x{61D}\x{9FD}\x{A76}\x{C77}\x{C84}\x{1B4E}\x{1B4F}\x{1B7D}-\x{1B7F}\x{2E43}-\x{2E5D}\x{10D6E})"
    R"(\x{10EAD}\x{10F55}-\x{10F89}\x{113D4}-\x{113D8}\x{1144B}-\x{1145D}\x{11660}-\x{1166C}\x{116B9}\x{1183B})"
    R"(\x{11944}-\x{11946}\x{119E2}\x{11A3F}-\x{11AA2}\x{11B00}-\x{11BE1}\x{11C41}-\x{11C45}\x{11C70}\x{11C71})"
    R"(\x{11EF7}-\x{11FFF}\x{12FF1}\x{12FF2}\x{16D6D}-\x{16D6F}\x{16E97}-\x{16E9A}\x{16FE2}\x{1E5FF}\x{1E95E}\x{1E95F}]))"
    R"([\p{P}$+<=>^`|~\x{166D}\x{111C9}])";

/// A pattern that matches `literal` and nothing else.
std::string pattern_of(std::string_view literal) {
  std::string pattern;
  for (const char c : literal) {
    const bool is_plain = static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z');
    if (!is_plain) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

Expected<SplitBehavior> behavior_of(const nlohmann::json& json) {
  NATSCOPE_TRY(const std::string behavior, text_of(json, "behavior"));
  if (behavior == "Isolated") return SplitBehavior::isolated;
  if (behavior == "Removed") return SplitBehavior::removed;
  if (behavior == "Contiguous") return SplitBehavior::joined;
  if (behavior == "MergedWithPrevious") return SplitBehavior::with_previous;
  if (behavior == "MergedWithNext") return SplitBehavior::with_next;
  return fail(ErrorCode::bad_tokenizer, "a pre_tokenizer has the behavior " + printable(behavior));
}

/// A part of a text, and whether it is a match of the pattern that cuts it.
struct Part {
  TextSpan span;
  bool is_match = false;
};

/// All of `text` in order; none of them empty.
Expected<std::vector<Part>> parts_of(std::string_view text, const SplitByPattern& split, SearchSteps& steps) {
  std::vector<Part> made;
  const auto take = [&](std::size_t begin, std::size_t end, bool is_match) {
    if (end > begin) made.push_back({{begin, end}, is_match != split.inverted});
  };
  std::size_t done = 0;
  for (std::size_t from = 0; from <= text.size();) {
    TextSpan match;
    NATSCOPE_TRY(const bool found, split.pattern.find(text, from, steps, match));
    if (!found) break;
    take(done, match.begin, false);
    take(match.begin, match.end, true);
    done = match.end;
    // An empty match: on to the next character.
    from = match.end;
    if (match.end == match.begin) {
      do ++from;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U);
    }
  }
  take(done, text.size(), false);
  return made;
}

/// Where the words of a text stand.
struct Place {
  bool begins_text = false;
  SearchSteps& steps;  // of the whole text
};

Expected<std::vector<std::string>> words(std::string text, const SplitByPattern& split, const Place& place) {
  NATSCOPE_TRY(const std::vector<Part> parts, parts_of(text, split, place.steps));
  std::vector<std::string> made;
  const auto text_of_part = [&](const Part& part) {
    return std::string_view(text).substr(part.span.begin, part.span.end - part.span.begin);
  };
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool follows_match = i > 0 && parts[i - 1].is_match;
    bool joins = false;  // what comes before it
    switch (split.behavior) {
      case SplitBehavior::removed:
        if (parts[i].is_match) continue;
        break;
      case SplitBehavior::isolated:
        break;
      case SplitBehavior::joined:
        joins = i > 0 && parts[i].is_match == follows_match;
        break;
      // Of matches that touch, the first (the last) alone has something to go with.
      case SplitBehavior::with_previous:
        joins = i > 0 && parts[i].is_match && !follows_match;
        break;
      case SplitBehavior::with_next:
        joins = follows_match && !parts[i].is_match;
        break;
    }
    if (joins) {
      made.back() += text_of_part(parts[i]);
    } else {
      made.emplace_back(text_of_part(parts[i]));
    }
  }
  return made;
}

Expected<std::vector<std::string>> words(std::string text, const LeadingBlank&, const Place&) {
  if (!text.starts_with(' ')) text.insert(0, 1, ' ');
  return std::vector<std::string>{std::move(text)};
}

Expected<std::vector<std::string>> words(std::string text, const ByteLevel&, const Place&) {
  return std::vector<std::string>{bytes_as_characters(text)};
}

Expected<std::vector<std::string>> words(std::string text, const Metaspace& space, const Place& place) {
  std::string marked;
  marked.reserve(text.size());
  for (const char c : text) {
    if (c == ' ')
      marked += space.mark;
    else
      marked += c;
  }
  const bool may = space.prepends == Metaspace::Prepends::always ||
                   (space.prepends == Metaspace::Prepends::first && place.begins_text);
  if (may && !marked.starts_with(space.mark)) marked.insert(0, space.mark);
  if (!space.splits) return std::vector<std::string>{std::move(marked)};
  std::vector<std::string> made;
  for (std::size_t begin = 0; begin < marked.size();) {
    const std::size_t end = std::min(marked.find(space.mark, begin + 1), marked.size());
    made.push_back(marked.substr(begin, end - begin));
    begin = end;
  }
  return made;
}

}  // namespace

Expected<PreTokenizerSteps> PreTokenizerSteps::read(const nlohmann::json& json) {
  PreTokenizerSteps made;
  NATSCOPE_CHECK(made.add(json, 0));
  std::size_t byte_levels = 0;
  for (const auto& step : made.steps_) {
    if (std::holds_alternative<ByteLevel>(step) && ++byte_levels > 1)
      return not_done("pre_tokenizer ByteLevel", "behind another one");
    if (std::holds_alternative<Metaspace>(step) && made.steps_.size() > 1)
      return not_done("pre_tokenizer Metaspace", "beside another one");
  }
  return made;
}

Expected<void> PreTokenizerSteps::add(const nlohmann::json& json, int depth) {
  if (json.is_null()) return {};
  if (steps_.size() >= most_parts) return too_many_parts("pre_tokenizer");
  NATSCOPE_TRY(const std::string type, type_of(json, "pre_tokenizer"));
  if (type == "Sequence") {
    NATSCOPE_TRY(const nlohmann::json* const parts, sequence_of(json, "pretokenizers", depth));
    for (const nlohmann::json& part : *parts) NATSCOPE_CHECK(add(part, depth + 1));
    return {};
  }
  if (type == "Split") return add_split(json);
  if (type == "Digits") {
    NATSCOPE_TRY(const bool each, flag_of(json, "individual_digits", false));
    NATSCOPE_TRY(UnicodePattern pattern, UnicodePattern::compile(each ? digit : std::string(digit) + "+"));
    steps_.push_back(SplitByPattern{std::move(pattern)});
    return {};
  }
  if (type == "Punctuation") {
    SplitByPattern split;
    const bool says = json.contains("behavior");
    NATSCOPE_TRY(split.behavior, behavior_of(says ? json : nlohmann::json{{"behavior", "Isolated"}}));
    NATSCOPE_TRY(split.pattern, UnicodePattern::compile(punctuation));
    steps_.push_back(std::move(split));
    return {};
  }
  if (type == "ByteLevel") {
    NATSCOPE_TRY(const bool adds_blank, flag_of(json, "add_prefix_space", true));
    NATSCOPE_TRY(const bool cuts, flag_of(json, "use_regex", true));
    const bool is_alone = steps_.empty();
    if (adds_blank) steps_.push_back(LeadingBlank{});
    if (cuts) {
      NATSCOPE_TRY(UnicodePattern pattern, UnicodePattern::compile(gpt2_pattern));
      cuts_before_blanks_ = is_alone;
      steps_.push_back(SplitByPattern{std::move(pattern)});
    }
    steps_.push_back(ByteLevel{});
    return {};
  }
  if (type == "Metaspace") {
    Metaspace space;
    NATSCOPE_TRY(space.mark, text_of(json, "replacement"));
    if (space.mark.empty() || space.mark.size() > longest_mark)
      return fail(ErrorCode::bad_tokenizer, "a Metaspace without a mark, or with one of more than 64 bytes");
    NATSCOPE_TRY(const bool adds, flag_of(json, "add_prefix_space", true));
    NATSCOPE_TRY(space.splits, flag_of(json, "split", true));
    space.prepends = adds ? Metaspace::Prepends::always : Metaspace::Prepends::never;
    if (json.contains("prepend_scheme")) {
      NATSCOPE_TRY(const std::string scheme, text_of(json, "prepend_scheme"));
      if (scheme != "always" && scheme != "first" && scheme != "never")
        return fail(ErrorCode::bad_tokenizer, "prepend_scheme is " + printable(scheme));
      space.prepends = scheme == "always"  ? Metaspace::Prepends::always
                       : scheme == "first" ? Metaspace::Prepends::first
                                           : Metaspace::Prepends::never;
    }
    steps_.push_back(std::move(space));
    return {};
  }
  return not_done("pre_tokenizer", type);
}

Expected<void> PreTokenizerSteps::add_split(const nlohmann::json& json) {
  SplitByPattern split;
  NATSCOPE_TRY(split.behavior, behavior_of(json));
  NATSCOPE_TRY(split.inverted, flag_of(json, "invert", false));
  const auto pattern = json.find("pattern");
  if (pattern == json.end() || !pattern->is_object()) return fail(ErrorCode::bad_tokenizer, "a Split has no pattern");
  std::string text;
  if (pattern->contains("String")) {
    NATSCOPE_TRY(const std::string literal, text_of(*pattern, "String"));
    if (literal.empty()) return fail(ErrorCode::bad_tokenizer, "a Split at nothing");
    text = pattern_of(literal);
  } else {
    NATSCOPE_TRY(text, text_of(*pattern, "Regex"));
  }
  NATSCOPE_TRY(split.pattern, UnicodePattern::compile(text));
  if (steps_.empty() && split.behavior == SplitBehavior::isolated)
    cuts_before_blanks_ = std::find(known_patterns.begin(), known_patterns.end(), text) != known_patterns.end();
  steps_.push_back(std::move(split));
  return {};
}

bool PreTokenizerSteps::is_byte_level() const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [](const auto& step) { return std::holds_alternative<ByteLevel>(step); });
}

const Metaspace* PreTokenizerSteps::metaspace() const {
  return steps_.empty() ? nullptr : std::get_if<Metaspace>(&steps_.back());
}

Expected<std::vector<std::string>> PreTokenizerSteps::cut(std::string text, bool begins_text,
                                                          SearchSteps& searching) const {
  std::vector<std::string> made;
  if (text.empty()) return made;
  made.push_back(std::move(text));
  for (const auto& step : steps_) {
    std::vector<std::string> finer;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const Place place{begins_text && i == 0, searching};
      NATSCOPE_TRY(auto parts,
                   std::visit([&](const auto& what) { return words(std::move(made[i]), what, place); }, step));
      if (made.size() == 1) {
        finer = std::move(parts);
      } else {
        std::move(parts.begin(), parts.end(), std::back_inserter(finer));
      }
    }
    made = std::move(finer);
  }
  return made;
}

}  // namespace natscope
