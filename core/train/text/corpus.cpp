// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/text/corpus.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include "core/base/mapped_file.h"
#include "core/base/sha256.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "core/train/random/counter_random.h"

namespace natscope::train {

namespace fs = std::filesystem;

namespace {

/// Says which files, in which state, and which vocabulary tokens come from.
std::string identity_of(std::span<const fs::path> files, std::string_view tokenizer_sha256) {
  std::string all(tokenizer_sha256);
  for (const fs::path& path : files) {
    std::error_code problem;
    const auto bytes = fs::file_size(path, problem);
    const auto changed = fs::last_write_time(path, problem).time_since_epoch().count();
    all += "\n" + fs::absolute(path, problem).lexically_normal().string() + "\n" + std::to_string(bytes) + " " +
           std::to_string(changed);
  }
  return sha256_hex(all);
}

}  // namespace

Expected<std::vector<fs::path>> text_files(const fs::path& path) {
  std::error_code problem;
  const fs::file_status status = fs::status(path, problem);
  if (!fs::exists(status)) {
    return fail(ErrorCode::file_not_found, "no such file or folder: " + printable(path.string()));
  }
  std::vector<fs::path> files;
  if (!fs::is_directory(status)) {
    files.push_back(path);
    return files;
  }
  fs::recursive_directory_iterator entry(path, problem);
  for (; !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
    std::error_code unreadable;
    if (entry->path().extension() == ".txt" && entry->is_regular_file(unreadable)) files.push_back(entry->path());
  }
  if (problem) return fail(ErrorCode::io_failure, printable(path.string()) + ": " + problem.message());
  if (files.empty()) {
    return fail(ErrorCode::bad_data, "no *.txt files in " + printable(path.string()),
                "name a folder with plain text files that end in .txt, or a file itself");
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string text_files_text(const fs::path& path, std::size_t files) {
  std::error_code problem;
  if (!fs::is_directory(path, problem)) return printable(path.string());
  return std::to_string(files) + (files == 1 ? " file" : " files") + " *.txt in " + printable(path.string()) +
         " (other endings are not read)";
}

Error of_text(Error error, const std::string& where) {
  if (error.code == ErrorCode::interrupted) return error;
  if (error.code == ErrorCode::bad_text) error.code = ErrorCode::bad_data;
  error.message = where + ": " + error.message;
  return error;
}

Expected<Corpus> Corpus::read(std::span<const fs::path> files, const Tokenizer& tokenizer, const StopToken& stop) {
  if (tokenizer.size() > std::numeric_limits<std::uint16_t>::max() + 1) {
    return fail(ErrorCode::bad_data, "the vocabulary has more than 65536 pieces", "choose a smaller one");
  }
  Corpus corpus;
  for (const fs::path& path : files) {
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_TRY(const MappedFile file, MappedFile::open(path));
    const auto bytes = file.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    auto encoded = tokenizer.encode(text);
    if (!encoded) {
      return Unexpected(of_text(std::move(encoded).error(), printable(path.string())));
    }
    if (const auto bos = tokenizer.bos_id()) corpus.tokens_.push_back(static_cast<std::uint16_t>(*bos));
    for (const std::int32_t token : *encoded) corpus.tokens_.push_back(static_cast<std::uint16_t>(token));
    corpus.bytes_ += bytes.size();
  }
  if (corpus.bytes_ == 0) return fail(ErrorCode::bad_data, "the text files are empty");
  return corpus;
}

Expected<Corpus> Corpus::read_cached(std::span<const fs::path> files, const Tokenizer& tokenizer,
                                     std::string_view tokenizer_sha256, const fs::path& cache, const StopToken& stop) {
  const std::string key = identity_of(files, tokenizer_sha256);
  if (auto stored = SafetensorsFile::open(cache)) {
    const TensorInfo* tokens = stored->find("tokens");
    const auto made_from = stored->metadata().find("made_from");
    const auto bytes = stored->metadata().find("bytes");
    if (tokens != nullptr && tokens->dtype == DType::u16 && bytes != stored->metadata().end() &&
        made_from != stored->metadata().end() && made_from->second == key) {
      Corpus corpus;
      corpus.tokens_.resize(tokens->data.size() / sizeof(std::uint16_t));
      std::memcpy(corpus.tokens_.data(), tokens->data.data(), tokens->data.size());
      const std::string& text = bytes->second;
      std::from_chars(text.data(), text.data() + text.size(), corpus.bytes_);
      const bool in_vocabulary = std::all_of(corpus.tokens_.begin(), corpus.tokens_.end(),
                                             [&](std::uint16_t token) { return token < tokenizer.size(); });
      if (corpus.bytes_ > 0 && !corpus.tokens_.empty() && in_vocabulary) return corpus;
    }
  }
  NATSCOPE_TRY(Corpus corpus, read(files, tokenizer, stop));
  const TensorToWrite tokens{"tokens",
                             DType::u16,
                             {static_cast<std::int64_t>(corpus.tokens_.size())},
                             std::as_bytes(std::span(corpus.tokens_)),
                             {}};
  NATSCOPE_CHECK(
      write_safetensors(cache, std::span(&tokens, 1), {{"made_from", key}, {"bytes", std::to_string(corpus.bytes_)}}));
  return corpus;
}

bool Corpus::is_cache(const fs::path& file) {
  const auto stored = SafetensorsFile::open(file);
  return stored && stored->find("tokens") != nullptr && stored->metadata().contains("made_from");
}

Expected<SegmentOrder> SegmentOrder::make(std::span<const std::uint16_t> tokens, int context, std::uint64_t seed) {
  // One token more than a segment for the last target, and room for the largest offset.
  const auto usable = static_cast<std::int64_t>(tokens.size()) - 1;
  if (usable < context) {
    return fail(ErrorCode::bad_data,
                "the text has " + std::to_string(tokens.size()) + " tokens, less than one segment of " +
                    std::to_string(context + 1),
                "add text, or lower --context");
  }
  const std::int64_t segments = std::max<std::int64_t>(1, (usable - (context - 1)) / context);
  return SegmentOrder(tokens, context, segments, seed);
}

SegmentOrder::SegmentOrder(std::span<const std::uint16_t> tokens, std::int64_t context, std::int64_t segments,
                           std::uint64_t seed)
    : tokens_(tokens),
      context_(context),
      segments_(segments),
      seed_(seed),
      order_(static_cast<std::size_t>(segments), seed, random_purpose::segment_order) {}

void SegmentOrder::read(std::int64_t i, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) {
  const auto epoch = static_cast<std::uint64_t>(i / segments_);
  const auto usable = static_cast<std::int64_t>(tokens_.size()) - 1;
  const std::int64_t room = std::min(context_, usable - segments_ * context_ + 1);
  const CounterRandom random(seed_, random_purpose::segment_offset);
  const std::uint64_t offset = random.below(epoch, static_cast<std::uint32_t>(room));
  const std::size_t begin = offset + order_[i] * static_cast<std::size_t>(context_);
  for (std::size_t n = 0; n < static_cast<std::size_t>(context_); ++n) {
    tokens[n] = tokens_[begin + n];
    targets[n] = tokens_[begin + n + 1];
  }
}

}  // namespace natscope::train
