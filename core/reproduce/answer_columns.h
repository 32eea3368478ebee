// SPDX-License-Identifier: GPL-3.0-or-later
/// Columns of a Markdown table for answers by their distance. Private to core/reproduce.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/reproduce/study_row.h"

namespace natscope::reproduce {

/// A column for each distance that something was asked at; none where nothing was.
class AnswerColumns {
 public:
  /// Distances as those of any row of the table.
  explicit AnswerColumns(const std::vector<AnswersAtDistance>& asked);

  [[nodiscard]] bool empty() const { return bins_.empty(); }
  [[nodiscard]] std::string head() const;  ///< " 0 – 63 back |…"
  [[nodiscard]] std::string rule() const;  ///< " --- |…"
  /// Shares of right answers in percent; a dash where a row was not asked.
  [[nodiscard]] std::string cells(const std::vector<AnswersAtDistance>& answers) const;

 private:
  std::vector<AnswersAtDistance> asked_;
  std::vector<std::size_t> bins_;
};

}  // namespace natscope::reproduce
