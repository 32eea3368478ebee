// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/answer_columns.h"

#include <array>
#include <cstdio>

namespace natscope::reproduce {

AnswerColumns::AnswerColumns(const std::vector<AnswersAtDistance>& asked) : asked_(asked) {
  for (std::size_t bin = 0; bin < asked_.size(); ++bin) {
    if (asked_[bin].answers > 0) bins_.push_back(bin);
  }
}

std::string AnswerColumns::head() const {
  std::string text;
  for (const std::size_t bin : bins_)
    text += " " + std::to_string(asked_[bin].from) + " – " + std::to_string(asked_[bin].until - 1) + " back |";
  return text;
}

std::string AnswerColumns::rule() const {
  std::string text;
  for (std::size_t bin = 0; bin < bins_.size(); ++bin) text += " --- |";
  return text;
}

std::string AnswerColumns::cells(const std::vector<AnswersAtDistance>& answers) const {
  std::string text;
  for (const std::size_t bin : bins_) {
    if (bin >= answers.size() || answers[bin].answers == 0) {
      text += " – |";
      continue;
    }
    std::array<char, 32> cell{};
    std::snprintf(cell.data(), cell.size(), " %.1f |",
                  100.0 * static_cast<double>(answers[bin].right) / static_cast<double>(answers[bin].answers));
    text += cell.data();
  }
  return text;
}

}  // namespace natscope::reproduce
