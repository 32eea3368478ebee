// SPDX-License-Identifier: GPL-3.0-or-later
/// Questions with known answers, one JSON object a line: {"prompt": "…", "answer": "…"}, or "answers": ["…", "…"];
/// "context": "…" is a text that the prompt asks about, and stands in front of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

struct Question {
  std::string prompt;
  std::string answer_prefix;         ///< what the answer begins with, given to the model behind the prompt
  std::vector<std::string> answers;  ///< at least one; none is empty
  std::string where;                 ///< "FILE, line 3"
  std::string context{};             ///< read before the prompt, which goes on where it ends; may be empty
};

/// RULER's and LongBench's names are read, too: "input", "outputs" and "answer_prefix"; and "question". A key whose
/// value is null counts as absent, other keys are passed over. `name` is the file's.
/// Errors: bad_data (naming the line: no JSON object, no prompt, no answer; no question at all).
[[nodiscard]] Expected<std::vector<Question>> read_questions(std::string_view text, std::string_view name);

/// What makes a text right.
enum class AnswerMatch : std::uint8_t {
  any,  ///< one of the answers stands in it: 1 or 0
  all,  ///< the share of them that does, as RULER counts keys
  f1,   ///< words in common with the answer that is most like it: the F1 of SQuAD and LongBench
};

/// How right a text is, 0 to 1. Capital and small letters of ASCII are alike. For `f1` punctuation of ASCII counts for
/// nothing, nor do the words a, an and the: 2 p r / (p + r), where p is the share of the text's words that the answer
/// has, too, and r that of the answer's that the text has, each as often as both have it.
/// Source: Rajpurkar et al., SQuAD (arXiv 1606.05250), and its evaluation script.
[[nodiscard]] double rightness(std::string_view written, const Question& question, AnswerMatch match);

}  // namespace natscope
