// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/normalizer_steps.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>

#include "core/tokenizer/huggingface/json_parts.h"
#include "core/tokenizer/huggingface/newer_characters.h"
#include "core/tokenizer/huggingface/unicode_pattern.h"
#include "core/tokenizer/replaced_text.h"

namespace natscope {
namespace {

/// `text` holds no character that is newer than normalizing.
Expected<std::string> normalized(std::string_view text, const UnicodeForm& form) {
  const int options = UTF8PROC_STABLE | (form.composes ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                      (form.is_compatible ? UTF8PROC_COMPAT : 0);
  utf8proc_uint8_t* made = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &made, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(made, std::free);
  if (length == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  if (length < 0)
    return fail(ErrorCode::bad_text, std::string("the text cannot be normalized: ") + utf8proc_errmsg(length));
  return std::string(reinterpret_cast<const char*>(made), static_cast<std::size_t>(length));
}

/// Where the first character stands that is newer than normalizing; the end where there is none.
TextSpan newer_character(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                                     static_cast<utf8proc_ssize_t>(text.size() - at), &point);
    const std::size_t end = at + static_cast<std::size_t>(std::max<utf8proc_ssize_t>(length, 1));
    if (point >= 0x80 && is_newer_than_normalizing(static_cast<std::uint32_t>(point))) return {at, end};
    at = end;
  }
  return {text.size(), text.size()};
}

Expected<std::string> with(std::string text, const UnicodeForm& form) {
  // No form changes what is ASCII.
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return text;
  std::string made;
  for (std::string_view rest = text; !rest.empty();) {
    const TextSpan newer = newer_character(rest);
    NATSCOPE_TRY(const std::string known, normalized(rest.substr(0, newer.begin), form));
    made.append(known).append(rest.substr(newer.begin, newer.end - newer.begin));
    rest.remove_prefix(newer.end);
  }
  return made;
}

Expected<std::string> with(std::string text, const Prepend& prepend) {
  if (!text.empty()) text.insert(0, prepend.text);
  return text;
}

Expected<std::string> with(std::string text, const Replace& replace) {
  return text.find(replace.from) == std::string::npos ? text : replaced_text(text, replace.from, replace.to);
}

/// How long `text` is after the step. Unicode's forms are left out: they make it 18 times as long at most, and only
/// once.
std::size_t bytes_with(std::string_view text, const UnicodeForm&) { return text.size(); }
std::size_t bytes_with(std::string_view text, const Prepend& prepend) { return text.size() + prepend.text.size(); }
std::size_t bytes_with(std::string_view text, const Replace& replace) {
  std::size_t bytes = text.size();
  for (std::size_t at = text.find(replace.from); at != std::string_view::npos;
       at = text.find(replace.from, at + replace.from.size()))
    bytes = bytes - replace.from.size() + replace.to.size();
  return bytes;
}

}  // namespace

Expected<NormalizerSteps> NormalizerSteps::read(const nlohmann::json& json) {
  NormalizerSteps made;
  NATSCOPE_CHECK(made.add(json, 0));
  return made;
}

Expected<void> NormalizerSteps::add(const nlohmann::json& json, int depth) {
  if (json.is_null()) return {};
  if (steps_.size() >= most_parts) return too_many_parts("normalizer");
  NATSCOPE_TRY(const std::string type, type_of(json, "normalizer"));
  if (type == "Sequence") {
    NATSCOPE_TRY(const nlohmann::json* const parts, sequence_of(json, "normalizers", depth));
    for (const nlohmann::json& part : *parts) NATSCOPE_CHECK(add(part, depth + 1));
    return {};
  }
  if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    steps_.emplace_back(UnicodeForm{type.back() == 'C', type[2] == 'K'});
    return {};
  }
  if (type == "Prepend") {
    NATSCOPE_TRY(std::string text, text_of(json, "prepend"));
    steps_.emplace_back(Prepend{std::move(text)});
    return {};
  }
  if (type == "Replace") {
    NATSCOPE_TRY(std::string from, literal_of(json));
    NATSCOPE_TRY(std::string to, text_of(json, "content"));
    steps_.emplace_back(Replace{std::move(from), std::move(to)});
    return {};
  }
  return not_done("normalizer", type);
}

bool NormalizerSteps::replaces() const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [](const auto& step) { return std::holds_alternative<Replace>(step); });
}

Expected<std::string> NormalizerSteps::apply(std::string text, std::size_t& room) const {
  // A mark for a blank is three times as long as it. Steps that double a text, forty of them, would take all memory.
  constexpr std::size_t most_growth = 64;
  const std::size_t freely = most_growth * text.size();
  std::size_t longest = 0;
  for (const auto& step : steps_) {
    longest = std::max(longest, std::visit([&](const auto& what) { return bytes_with(text, what); }, step));
    if (longest > freely && longest - freely > room)
      return fail(ErrorCode::bad_text, "the tokenizer's normalizer makes the text more than 64 times as long",
                  "check the normalizer in tokenizer.json");
    NATSCOPE_TRY(text, std::visit([&](const auto& what) { return with(std::move(text), what); }, step));
  }
  if (longest > freely) room -= longest - freely;
  return text;
}

}  // namespace natscope
