// SPDX-License-Identifier: GPL-3.0-or-later
/// A model computed densely in double, straight from the rules: whole score matrices, a mask by section 4, no cache, no
/// chunks. Written for the tests alone; shares no code with core or kernels.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "tests/support/tiny_model.h"

namespace natscope::test {

struct DenseOptions {
  std::optional<int> window;  ///< in place of the model's
  /// The role (0 G, 1 L, 2 S) of a token, or -1 where the model's scores decide.
  std::function<int(int layer, int kv_head, int position)> role;
  int heavy = -1;  ///< H2O when not negative: roles play no part
  int recent = 0;
  /// Of what roles let a query see, what it does not see all the same.
  std::function<bool(int layer, int kv_head, int query, int key)> hidden{};
  bool of_last_query = false;  ///< TOVA: the last query's weights count alone, of all heads of the layer together
};

/// Indexed [layer][head][query][key], [layer][kv_head][token] and so on.
template <class T>
using Table = std::vector<std::vector<T>>;

struct DenseResult {
  Table<double> logits;             // [token][vocab]
  Table<std::vector<int>> roles;    // [layer][kv_head][token]
  Table<Table<double>> scores;      // [layer][kv_head][token][3]
  Table<Table<double>> attention;   // [layer][head][query][key]
  Table<Table<char>> visible;       // [layer][head][query][key]
  Table<std::vector<int>> entries;  // [layer][kv_head][token]: held after it
};

[[nodiscard]] DenseResult dense_forward(const TinyModel& model, const std::vector<std::int32_t>& tokens,
                                        const DenseOptions& options = {});

}  // namespace natscope::test
