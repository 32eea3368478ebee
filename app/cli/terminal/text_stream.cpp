// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal/text_stream.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "app/cli/terminal/standard_input.h"
#include "core/base/utf8.h"
#include "core/io/model_folder.h"

namespace natscope {
namespace {

constexpr std::uint64_t max_text_bytes = 1ULL << 30U;

/// What of a pipe is read at once, however few tokens are wanted.
constexpr std::size_t least_bytes = std::size_t{1} << 16U;

/// As many bytes as so many tokens take at most, where the tokenizer does not shorten what it is given.
std::size_t bytes_of(std::int64_t tokens, const Tokenizer& tokenizer) {
  std::size_t longest = 1;
  for (std::int32_t id = 0; id < tokenizer.size(); ++id) longest = std::max(longest, tokenizer.piece_bytes(id).size());
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(tokens, 0));
  return wanted > max_text_bytes / longest ? std::size_t{max_text_bytes} : wanted * longest;
}

/// The whole characters of what was read. Errors: bad_text.
Expected<std::string_view> checked_text(const TextInput& input) {
  std::string_view text = input.text();
  if (!input.is_whole()) text = text.substr(0, complete_prefix_length(text));
  if (text.empty()) return fail(ErrorCode::bad_text, input.name() + " is empty");
  if (!valid_utf8(text)) return fail(ErrorCode::bad_text, input.name() + " is not UTF-8");
  return text;
}

/// The first `wanted` tokens of a text, or a few more, or all where it has less. Of a pipe, which may never end, it
/// reads twice what they can take: where that is cut plays no part in what stands before them.
Expected<std::vector<std::int32_t>> beginning(TextInput& input, const Tokenizer& tokenizer, std::int64_t wanted) {
  for (std::size_t bytes = std::max(least_bytes, 2 * bytes_of(wanted, tokenizer));; bytes *= 2) {
    NATSCOPE_CHECK(input.read(bytes));
    NATSCOPE_TRY(const std::string_view text, checked_text(input));
    NATSCOPE_TRY(auto ids, tokenizer.encode_beginning(text, wanted));
    if (input.is_whole() || static_cast<std::int64_t>(ids.size()) >= wanted) return ids;
  }
}

}  // namespace

Expected<std::vector<std::int32_t>> read_token_stream(const ModelFolder& folder, std::span<const std::string> files,
                                                      std::int64_t tokens_max) {
  if (std::ranges::count(files, "-") > 1) {
    return fail(ErrorCode::usage, "standard input (-) is named twice and can be read once");
  }
  std::vector<std::int32_t> stream;
  const auto full = [&] { return tokens_max > 0 && static_cast<std::int64_t>(stream.size()) >= tokens_max; };
  for (const std::string& file : files) {
    // Every file is looked at, also those past the cut: a bad one is an error, not luck.
    NATSCOPE_TRY(TextInput input, TextInput::open(file, max_text_bytes));
    NATSCOPE_CHECK(input.read(tokens_max > 0 ? least_bytes : SIZE_MAX));
    NATSCOPE_TRY(const std::string_view text, checked_text(input));
    if (full()) continue;
    if (const auto bos = folder.bos_id()) stream.push_back(*bos);
    // What is cut off need not be tokenized.
    const std::int64_t wanted = tokens_max - static_cast<std::int64_t>(stream.size());
    NATSCOPE_TRY(const auto ids,
                 tokens_max > 0 ? beginning(input, folder.tokenizer(), wanted) : folder.tokenizer().encode(text));
    stream.insert(stream.end(), ids.begin(), ids.end());
  }
  if (full()) stream.resize(static_cast<std::size_t>(tokens_max));
  return stream;
}

std::vector<std::span<const std::int32_t>> cut_segments(std::span<const std::int32_t> stream, std::int64_t length) {
  const auto size = static_cast<std::size_t>(length);
  std::vector<std::span<const std::int32_t>> segments;
  for (std::size_t begin = 0; begin + size <= stream.size(); begin += size)
    segments.push_back(stream.subspan(begin, size));
  if (segments.empty() && !stream.empty()) segments.push_back(stream);
  return segments;
}

}  // namespace natscope
