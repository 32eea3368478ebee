// SPDX-License-Identifier: GPL-3.0-or-later
/// The texts of a study: what its models are trained on, and the segments they are scored on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/reproduce/distance_text.h"
#include "core/reproduce/study_options.h"

namespace natscope::reproduce {

struct ScoredSegment {
  std::vector<std::int32_t> tokens;  ///< [context]
  std::vector<TokenAnswer> answers;  ///< places in the segment; only those whose mark was told in it, too
};

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
