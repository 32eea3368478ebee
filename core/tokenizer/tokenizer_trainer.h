// SPDX-License-Identifier: GPL-3.0-or-later
/// Training a sentencepiece vocabulary on text files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "core/base/cancel.h"
#include "core/base/expected.h"

namespace natscope {

enum class TokenizerKind { bpe, unigram };

struct TokenizerTraining {
  int vocab_size = 4096;
  TokenizerKind kind = TokenizerKind::bpe;
  bool split_digits = true;
  bool add_dummy_prefix = true;           ///< recorded in the model
  bool remove_extra_whitespaces = false;  ///< recorded in the model; false keeps runs of blanks and line breaks
  double character_coverage = 0.9995;
  std::uint64_t max_input_bytes = std::uint64_t{64}
                                  << 20;  ///< more text is sampled evenly, by lines, deterministically
  int threads = 2;
};

/// Byte fallback, identity normalisation, <unk> 0, <s> 1, </s> 2. Text is read line by line; a line break is kept as a
/// piece of its own. Equal files and options give equal bytes. Nothing but `out` is written. sentencepiece runs in a
/// forked child, so that a stop ends it at once (within 50 ms) and its aborts stay errors.
/// Errors: bad_data (no text, not UTF-8, or too little of it for vocab_size), interrupted, those of reading and writing
/// files.
[[nodiscard]] Expected<void> train_tokenizer(std::span<const std::filesystem::path> files,
                                             const TokenizerTraining& options, const std::filesystem::path& out,
                                             const StopToken& stop);

}  // namespace natscope
