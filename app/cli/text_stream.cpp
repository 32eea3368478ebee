// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/text_stream.h"

#include <algorithm>

#include "app/cli/standard_input.h"
#include "core/base/utf8.h"
#include "core/io/model_folder.h"

namespace natscope {
namespace {

constexpr std::uint64_t max_text_bytes = 1ULL << 30U;

Expected<std::string> read_text(const std::string& file) {
  NATSCOPE_TRY(std::string text, read_text_input(file, max_text_bytes));
  const std::string name = file == "-" ? "standard input" : printable(file);
  if (text.empty()) return fail(ErrorCode::bad_text, name + " is empty");
  if (!valid_utf8(text)) return fail(ErrorCode::bad_text, name + " is not UTF-8");
  return text;
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
    NATSCOPE_TRY(const std::string text, read_text(file));
    if (full()) continue;
    if (const auto bos = folder.bos_id()) stream.push_back(*bos);
    // What is cut off need not be tokenized.
    const std::int64_t wanted = tokens_max - static_cast<std::int64_t>(stream.size());
    NATSCOPE_TRY(const auto ids,
                 tokens_max > 0 ? folder.tokenizer().encode_beginning(text, wanted) : folder.tokenizer().encode(text));
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
