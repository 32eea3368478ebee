// SPDX-License-Identifier: GPL-3.0-or-later
/// Grids of shares side by side, before they are drawn: one panel for each thing compared.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace natscope {

struct GridPanel {
  std::string name;
  std::string note;                           ///< below the name; may be empty
  std::vector<std::optional<double>> shares;  ///< [rows, columns], 0 … 1; nothing where nothing was measured
};

struct GridChart {
  std::string title;
  std::string row_label;
  std::string column_label;
  std::vector<std::string> rows;     ///< from top to bottom
  std::vector<std::string> columns;  ///< from left to right
  std::vector<GridPanel> panels;
  std::string provenance = "{}";  ///< a JSON object: where the numbers come from, for the picture's metadata
};

}  // namespace natscope
