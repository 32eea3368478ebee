// SPDX-License-Identifier: GPL-3.0-or-later
/// The accounting of a cache as a small table: printed at the end, or redrawn under streaming text.
#pragma once

#include <string>

#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "core/explore/sequence_record.h"

namespace natscope {

/// The three numbers and the role mix after the record's last token, with a bar per layer of what its heads hold.
///   colour  whether to use ANSI colours;  columns  how wide it may get
[[nodiscard]] std::string accounting_table(const SequenceRecord& record, bool colour, int columns);

/// Keeps a table under text that streams to the same terminal.
/// When stdout is no terminal the table goes to stderr once, at the end.
class LiveTable {
 public:
  explicit LiveTable(bool wanted);

  /// Prints streaming text and, below it, the table (at most ten times a second).
  void show(std::string_view text, const SequenceRecord& record);
  /// Puts the final table below the text.
  void finish(const SequenceRecord& record);
  /// Whether all that was shown could be written. Errors: io_failure.
  [[nodiscard]] Expected<void> written() const;

 private:
  void erase();
  void draw(const SequenceRecord& record);
  void print_pending();

  bool wanted_ = false;
  bool in_place_ = false;
  std::string pending_;  // text that the next redraw prints
  int lines_ = 0;        // of the table on screen
  int text_column_ = 0;  // where the text's last line ends
  long long drawn_ms_ = 0;
};

}  // namespace natscope
