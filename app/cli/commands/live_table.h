// SPDX-License-Identifier: GPL-3.0-or-later
/// The accounting of a cache as a small table: printed at the end, or redrawn under streaming text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "core/explore/sequence_record.h"

namespace natscope {

/// The three numbers and the role mix after the record's last token, with a bar per layer of what its heads hold.
///   policy  what decided, as core/cache/policy.h writes it;  colour  whether to use ANSI colours;
///   columns  how wide bars may make it
[[nodiscard]] std::string accounting_table(const SequenceRecord& record, std::string_view policy, bool colour,
                                           int columns);

/// The table's lines as a terminal of this size can draw over them: none wraps, and none scrolls away.
[[nodiscard]] std::vector<std::string> lines_on_screen(std::string_view table, int columns, int rows);

/// How much of `text`, printed from column `begin` on, leaves its last row a place: behind a full row a terminal's
/// cursor stands on the row's last character, and cannot be brought back to where the text goes on. Whole characters,
/// in bytes.
[[nodiscard]] std::size_t bytes_before_full_row(std::string_view text, int begin, int columns);

/// Keeps a table under text that streams to the same terminal.
/// When stdout is no terminal the table goes to stderr once, at the end.
class LiveTable {
 public:
  LiveTable(bool wanted, std::string policy);

  /// Prints streaming text and, below it, the table (at most ten times a second).
  void show(std::string_view text, const SequenceRecord& record);
  /// Puts the final table below the text; another text may follow it.
  void finish(const SequenceRecord& record);
  /// The final table alone, on stderr: beside a result that is not the text.
  void conclude(const SequenceRecord& record) const;
  /// Whether all that was shown could be written. Errors: io_failure.
  [[nodiscard]] Expected<void> written() const;

 private:
  void erase();
  void draw(const SequenceRecord& record);
  void print_pending(std::size_t bytes);

  bool wanted_ = false;
  std::string policy_;
  bool in_place_ = false;
  std::string pending_;            // text that the next redraw prints, but for what would fill a row
  std::vector<int> line_columns_;  // of the table on screen
  int text_columns_ = 0;           // of the text's last line, however often it wraps
  long long drawn_ms_ = 0;
};

}  // namespace natscope
