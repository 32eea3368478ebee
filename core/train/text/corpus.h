// SPDX-License-Identifier: GPL-3.0-or-later
/// Training text as tokens, and which piece of it every step reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/random/epoch_order.h"

namespace natscope::train {

/// The text files of a data set in the order of their paths: every `*.txt` below a folder, or the one file itself.
/// Errors: bad_data (none there), file_not_found, io_failure.
[[nodiscard]] Expected<std::vector<std::filesystem::path>> text_files(const std::filesystem::path& path);

/// For people: "12 files *.txt in FOLDER (other endings are not read)", or the one file's name.
[[nodiscard]] std::string text_files_text(const std::filesystem::path& path, std::size_t files);

/// What is wrong with a text of a data set, as an error of that: bad_text is bad_data there.
[[nodiscard]] Error of_text(Error error, const std::string& where);

/// The tokens of all files in one row, each file's behind a beginning-of-sequence token (no end token). 2 bytes a
/// token.
class Corpus {
 public:
  /// Errors: bad_data (empty, not UTF-8, a vocabulary over 65 536), interrupted, those of reading files.
  [[nodiscard]] static Expected<Corpus> read(std::span<const std::filesystem::path> files, const Tokenizer& tokenizer,
                                             const StopToken& stop);

  /// The same, out of `cache` when that was made from these files (names, sizes, times of change) with this vocabulary;
  /// else read, and `cache` written, so that a resumed run begins at once. A cache that does not fit is replaced.
  [[nodiscard]] static Expected<Corpus> read_cached(std::span<const std::filesystem::path> files,
                                                    const Tokenizer& tokenizer, std::string_view tokenizer_sha256,
                                                    const std::filesystem::path& cache, const StopToken& stop);

  /// Whether a file is such a cache, of whatever text.
  [[nodiscard]] static bool is_cache(const std::filesystem::path& file);

  [[nodiscard]] std::span<const std::uint16_t> tokens() const { return tokens_; }
  /// Bytes of all text, the first token's, which nothing predicts, too.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] double bytes_per_token() const {
    return static_cast<double>(bytes_) / static_cast<double>(tokens_.size());
  }

 private:
  std::vector<std::uint16_t> tokens_;
  std::uint64_t bytes_ = 0;
};

/// Cuts a row of tokens into segments of `context` tokens and deals them out, each once an epoch, in an order that only
/// the seed decides. Every epoch begins its cuts at another offset below `context`.
///   segment i of the run: tokens [context], targets [context], the tokens one place later
class SegmentOrder {
 public:
  /// Errors: bad_data when the text is too short for one segment.
  [[nodiscard]] static Expected<SegmentOrder> make(std::span<const std::uint16_t> tokens, int context,
                                                   std::uint64_t seed);

  [[nodiscard]] std::int64_t segments_per_epoch() const { return segments_; }

  /// Any order of i is right; going up is cheap, since an epoch's order is kept.
  void read(std::int64_t i, std::span<std::int32_t> tokens, std::span<std::int32_t> targets);

 private:
  SegmentOrder(std::span<const std::uint16_t> tokens, std::int64_t context, std::int64_t segments, std::uint64_t seed);

  std::span<const std::uint16_t> tokens_;
  std::int64_t context_;
  std::int64_t segments_;
  std::uint64_t seed_;
  EpochOrder order_;
};

}  // namespace natscope::train
