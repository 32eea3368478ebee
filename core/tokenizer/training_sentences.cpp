// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/training_sentences.h"

#include <string_view>

#include "core/base/small_file.h"
#include "core/base/utf8.h"

namespace natscope {
namespace {

constexpr std::uint64_t max_file_bytes = std::uint64_t{4} << 30;
constexpr std::size_t max_sentence_bytes = 4000;  // sentencepiece leaves out what is longer than 4192

/// Takes one sentence off the front of a line that is not empty.
std::string_view take_sentence(std::string_view& line) {
  std::size_t length = line.size();
  if (length > max_sentence_bytes) {
    const std::string_view window = line.substr(0, max_sentence_bytes);
    const std::size_t blank = window.rfind(' ');
    length = blank != std::string_view::npos && blank > 0 ? blank : complete_prefix_length(window);
  }
  const std::string_view sentence = line.substr(0, length);
  line.remove_prefix(length);
  return sentence;
}

class Collector {
 public:
  Collector(std::uint64_t total_bytes, std::uint64_t max_bytes) : total_bytes_(total_bytes), max_bytes_(max_bytes) {}

  void add_line(std::string_view line) {
    while (!line.empty()) {
      const std::string_view sentence = take_sentence(line);
      seen_bytes_ += sentence.size();
      // An even share: kept never runs ahead of seen · max / total.
      const double allowed =
          static_cast<double>(seen_bytes_) / static_cast<double>(total_bytes_) * static_cast<double>(max_bytes_);
      if (total_bytes_ > max_bytes_ && static_cast<double>(kept_bytes_ + sentence.size()) > allowed) continue;
      // A zero byte is no text for sentencepiece.
      if (sentence.find('\0') != std::string_view::npos) continue;
      kept_bytes_ += sentence.size();
      sentences_.emplace_back(sentence);
    }
  }

  std::vector<std::string> take() { return std::move(sentences_); }

 private:
  std::uint64_t total_bytes_;
  std::uint64_t max_bytes_;
  std::uint64_t seen_bytes_ = 0;
  std::uint64_t kept_bytes_ = 0;
  std::vector<std::string> sentences_;
};

}  // namespace

Expected<std::vector<std::string>> read_training_sentences(std::span<const std::filesystem::path> files,
                                                           std::uint64_t max_bytes, const StopToken& stop) {
  std::uint64_t total_bytes = 1;
  for (const std::filesystem::path& path : files) {
    std::error_code ignored;  // a file that cannot be read says so below
    const auto size = std::filesystem::file_size(path, ignored);
    if (!ignored) total_bytes += size;
  }
  Collector collector(total_bytes, max_bytes);
  for (const std::filesystem::path& path : files) {
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_TRY(const std::string text, read_small_file(path, max_file_bytes));
    if (!valid_utf8(text)) return fail(ErrorCode::bad_data, path.string() + " is not UTF-8");
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      collector.add_line(line);
    }
  }
  auto sentences = collector.take();
  if (sentences.empty()) return fail(ErrorCode::bad_data, "there is no text to train a vocabulary on");
  return sentences;
}

}  // namespace natscope
