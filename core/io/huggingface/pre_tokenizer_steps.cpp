// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/huggingface/pre_tokenizer_steps.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "core/io/huggingface/byte_level.h"
#include "core/io/huggingface/json_parts.h"

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

Expected<std::vector<std::string>> words(std::string text, const SplitByPattern& split, bool) {
  std::vector<std::string> made;
  const auto take = [&](std::size_t begin, std::size_t end) {
    if (end > begin) made.emplace_back(text, begin, end - begin);
  };
  std::size_t done = 0;
  for (std::size_t from = 0; from <= text.size();) {
    TextSpan match;
    NATSCOPE_TRY(const bool found, split.pattern.find(text, from, match));
    if (!found) break;
    if (split.keeps_between) take(done, match.begin);
    take(match.begin, match.end);
    done = match.end;
    // An empty match: on to the next character.
    from = match.end;
    if (match.end == match.begin) {
      do ++from;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U);
      done = std::max(done, match.end);
    }
  }
  if (split.keeps_between) take(done, text.size());
  return made;
}

Expected<std::vector<std::string>> words(std::string text, const LeadingBlank&, bool) {
  if (!text.starts_with(' ')) text.insert(0, 1, ' ');
  return std::vector<std::string>{std::move(text)};
}

Expected<std::vector<std::string>> words(std::string text, const ByteLevel&, bool) {
  return std::vector<std::string>{bytes_as_characters(text)};
}

Expected<std::vector<std::string>> words(std::string text, const Metaspace& space, bool begins_text) {
  std::string marked;
  marked.reserve(text.size());
  for (const char c : text) {
    if (c == ' ')
      marked += space.mark;
    else
      marked += c;
  }
  const bool may =
      space.prepends == Metaspace::Prepends::always || (space.prepends == Metaspace::Prepends::first && begins_text);
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
  for (std::size_t i = 0; i < made.steps_.size(); ++i) {
    const bool is_last = i + 1 == made.steps_.size();
    if (std::holds_alternative<ByteLevel>(made.steps_[i]) && !is_last)
      return not_done("pre_tokenizer", "of bytes before another one");
    if (std::holds_alternative<Metaspace>(made.steps_[i]) && made.steps_.size() > 1)
      return not_done("pre_tokenizer Metaspace", "beside another one");
  }
  return made;
}

Expected<void> PreTokenizerSteps::add(const nlohmann::json& json, int depth) {
  if (json.is_null()) return {};
  NATSCOPE_TRY(const std::string type, type_of(json, "pre_tokenizer"));
  if (type == "Sequence") {
    NATSCOPE_TRY(const nlohmann::json* const parts, sequence_of(json, "pretokenizers", depth));
    for (const nlohmann::json& part : *parts) NATSCOPE_CHECK(add(part, depth + 1));
    return {};
  }
  if (type == "Split") return add_split(json);
  if (type == "Digits") {
    NATSCOPE_TRY(const bool each, flag_of(json, "individual_digits", false));
    NATSCOPE_TRY(UnicodePattern pattern, UnicodePattern::compile(each ? R"(\p{N})" : R"(\p{N}+)"));
    steps_.push_back(SplitByPattern{std::move(pattern), true});
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
      steps_.push_back(SplitByPattern{std::move(pattern), true});
    }
    steps_.push_back(ByteLevel{});
    return {};
  }
  if (type == "Metaspace") {
    Metaspace space;
    NATSCOPE_TRY(space.mark, text_of(json, "replacement"));
    if (space.mark.empty()) return fail(ErrorCode::bad_tokenizer, "a Metaspace without a mark");
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
  NATSCOPE_TRY(const std::string behavior, text_of(json, "behavior"));
  NATSCOPE_TRY(const bool inverted, flag_of(json, "invert", false));
  const bool isolates = behavior == "Isolated";
  if (!isolates && !(behavior == "Removed" && inverted))
    return not_done("pre_tokenizer Split", "with behavior " + behavior + (inverted ? ", inverted" : ""));
  const auto pattern = json.find("pattern");
  if (pattern == json.end() || !pattern->is_object()) return fail(ErrorCode::bad_tokenizer, "a Split has no pattern");
  if (pattern->contains("String")) return not_done("pre_tokenizer Split", "at a text");
  NATSCOPE_TRY(const std::string text, text_of(*pattern, "Regex"));
  NATSCOPE_TRY(UnicodePattern compiled, UnicodePattern::compile(text));
  if (steps_.empty() && isolates)
    cuts_before_blanks_ = std::find(known_patterns.begin(), known_patterns.end(), text) != known_patterns.end();
  steps_.push_back(SplitByPattern{std::move(compiled), isolates});
  return {};
}

bool PreTokenizerSteps::is_byte_level() const {
  return !steps_.empty() && std::holds_alternative<ByteLevel>(steps_.back());
}

const Metaspace* PreTokenizerSteps::metaspace() const {
  return steps_.empty() ? nullptr : std::get_if<Metaspace>(&steps_.back());
}

Expected<std::vector<std::string>> PreTokenizerSteps::cut(std::string text, bool begins_text) const {
  std::vector<std::string> made;
  if (text.empty()) return made;
  made.push_back(std::move(text));
  for (const auto& step : steps_) {
    std::vector<std::string> finer;
    for (std::size_t i = 0; i < made.size(); ++i) {
      NATSCOPE_TRY(
          auto parts,
          std::visit([&](const auto& what) { return words(std::move(made[i]), what, begins_text && i == 0); }, step));
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
