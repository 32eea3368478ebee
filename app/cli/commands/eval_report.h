// SPDX-License-Identifier: GPL-3.0-or-later
/// What eval says: one policy in full, several as a table, and both as files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/role_plan.h"
#include "core/engine/text_score.h"
#include "core/explore/vocabulary_count.h"

namespace natscope {

class ModelFolder;
class Tokenizer;

/// The text that every policy read.
struct EvaluatedText {
  std::vector<std::span<const std::int32_t>> segments;
  std::int64_t tokens_left_out = 0;         ///< behind the last whole segment
  std::int64_t prompt_tokens = 0;           ///< of each segment, read and not predicted; 0: no prompt
  std::optional<std::string> trained_with;  ///< the policy that the weights were trained under, where it is known
};

struct EvaluatedPolicy {
  RolePlan plan;
  TextScore score;
  std::vector<double> nll;     ///< of every predicted token, segment after segment; empty where nobody wants them
  VocabularyCount vocabulary;  ///< of all segments and heads; empty likewise
};

/// The policy that the weights were trained under, as parse_policy takes it: `model` where they were trained with their
/// roles, a fixed mask where the folder says so. Nothing where it is not known: an ordinary model, or score layers that
/// were taught to one that stayed as it was.
[[nodiscard]] std::optional<std::string> trained_with(const ModelFolder& folder);

/// The object of `eval --json` for one policy; `first`: the one that its loss is compared with, itself for the first.
[[nodiscard]] nlohmann::json eval_json(const EvaluatedPolicy& policy, const EvaluatedPolicy& first,
                                       const EvaluatedText& text);

/// For people: one policy, and several of the same text beside each other (at least one). From eval_json()'s objects.
[[nodiscard]] std::string eval_text(const nlohmann::json& result);
[[nodiscard]] std::string eval_table(const std::vector<nlohmann::json>& results);

/// A line for each policy. The same objects.
[[nodiscard]] std::string eval_csv(const std::vector<nlohmann::json>& results);

/// What a reader of the numbers has to know of policies that the weights were not trained under; empty: nothing.
[[nodiscard]] std::string training_note(const EvaluatedText& text, const std::vector<EvaluatedPolicy>& policies);

/// segment, position, token, text and nll of every predicted token; with several policies an nll for each.
/// Errors: as write_file_atomically.
[[nodiscard]] Expected<void> write_per_token(const std::filesystem::path& path, const EvaluatedText& text,
                                             const std::vector<EvaluatedPolicy>& policies, const Tokenizer& tokenizer);

/// Which tokens of the vocabulary were kept, policy after policy: the columns of core/export/vocabulary_table.h behind
/// the policy's name. Errors: as write_file_atomically.
[[nodiscard]] Expected<void> write_vocabularies(const std::filesystem::path& path,
                                                const std::vector<EvaluatedPolicy>& policies,
                                                const Tokenizer& tokenizer);

}  // namespace natscope
