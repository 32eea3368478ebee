// SPDX-License-Identifier: GPL-3.0-or-later
/// The texts of a study: what its models are trained on, and the segments they are scored on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/reproduce/distance_text.h"
#include "core/reproduce/study_options.h"
#include "core/train/checkpoints/checkpoint.h"

namespace natscope::reproduce {

struct ScoredSegment {
  std::vector<std::int32_t> tokens;  ///< [context]
  std::vector<TokenAnswer> answers;  ///< places in the segment; only those whose mark was told in it, too
};

/// What is made in a study's folder: the distance task's training text, and the vocabulary of a study from scratch.
inline constexpr const char* marked_text_name = "text";
inline constexpr const char* vocabulary_name = "tokenizer.model";
inline constexpr const char* made_names[] = {marked_text_name, vocabulary_name};

/// Which texts a study is about, and how they are cut.
struct TextChoice {
  StudyTask task = StudyTask::books;
  std::filesystem::path data;  ///< to learn from
  std::filesystem::path test;  ///< to score on
  std::filesystem::path out;   ///< the study's folder
  std::int64_t test_tokens = 0;
  std::int64_t context = 0;  ///< tokens of a segment; marks are said again as far back as it spans
};

/// What models learn from: `data`, or for the distance task a folder of it with marks strewn in, made where it is
/// missing. Errors: bad_data, those of files, interrupted.
[[nodiscard]] Expected<std::filesystem::path> training_text(const TextChoice& choice,
                                                            const std::function<void(const std::string&)>& say,
                                                            const StopToken& stop);
/// What they are scored on, in a model's own tokens, each file behind the beginning token `bos` that the model gets:
/// whole segments, at least one.
/// Errors: bad_data, those of files, interrupted.
[[nodiscard]] Expected<std::vector<ScoredSegment>> scored_segments(const TextChoice& choice, const Tokenizer& tokenizer,
                                                                   std::optional<std::int32_t> bos,
                                                                   const StopToken& stop);

/// What `data` and `segments` are: "training text" and "text to score on". Cost: every training file is read.
/// Errors: those of files, interrupted.
[[nodiscard]] Expected<train::RunInputs> inputs_of(const std::filesystem::path& data,
                                                   const std::vector<ScoredSegment>& segments, const StopToken& stop);

/// The texts of a study whose models are trained from scratch, and its vocabulary.
class StudyTexts {
 public:
  /// Makes what is missing in the study's folder: vocabulary, and for the distance task the text with marks.
  /// Errors: bad_data, those of files, interrupted.
  [[nodiscard]] static Expected<StudyTexts> prepare(const StudyOptions& options,
                                                    const std::function<void(const std::string&)>& say,
                                                    const StopToken& stop);

  [[nodiscard]] const std::filesystem::path& tokenizer() const { return tokenizer_; }
  [[nodiscard]] const std::filesystem::path& training() const { return training_; }
  [[nodiscard]] const std::vector<ScoredSegment>& segments() const { return segments_; }

 private:
  std::filesystem::path tokenizer_, training_;
  std::vector<ScoredSegment> segments_;
};

}  // namespace natscope::reproduce
