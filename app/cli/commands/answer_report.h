// SPDX-License-Identifier: GPL-3.0-or-later
/// What answer says: every policy as a line of a table, as JSON, and every answer as a line of a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/policy.h"
#include "core/engine/answer_score.h"
#include "core/engine/question_place.h"
#include "core/engine/question_set.h"

namespace natscope {

/// One policy's answers, in the order of the questions.
struct AnsweredPolicy {
  Policy policy;
  std::string match = "any";  ///< by what they were found right: any, all or f1
  QuestionPlace ask = QuestionPlace::within;
  std::vector<WrittenAnswer> answers;
  std::vector<double> right;  ///< 0 to 1, of each
};

/// The object of `answer --json` for one policy: means over its questions.
[[nodiscard]] nlohmann::json answer_json(const AnsweredPolicy& policy);

/// For people: all policies beside each other, from answer_json()'s objects (at least one).
[[nodiscard]] std::string answer_table(const std::vector<nlohmann::json>& results);

/// A line for each policy. The same objects.
[[nodiscard]] std::string answer_csv(const std::vector<nlohmann::json>& results);

/// A line for each question under each policy, with what was written. Errors: as write_file_atomically.
[[nodiscard]] Expected<void> write_answers(const std::filesystem::path& path, const std::vector<Question>& questions,
                                           const std::vector<AnsweredPolicy>& policies);

}  // namespace natscope
