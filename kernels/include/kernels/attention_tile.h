// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>

#include "kernels/element_type.h"
#include "kernels/ids.h"
#include "kernels/status.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

namespace natscope::kernels {

/// Rows of numbers in one of the stored types: data [rows, cols], `row_stride` elements apart.
struct StoredRows {
  const void* data = nullptr;
  ElementType dtype = ElementType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t row_stride = 0;
};

/// What one head's map is computed from: everything rotated, position n in row n.
///   queries [T, head_dim], keys [T, head_dim], lse [T] natural log
///   last_query [T]: the last query that may see key n (last_query_that_sees, capped to int32; under H2O the step that
///   dropped it). Query m sees key n when n <= m and (m == n or m <= last_query[n]).
struct AttentionMapSource {
  StoredRows queries;
  StoredRows keys;
  std::span<const float> lse;
  std::span<const std::int32_t> last_query;
};

/// One tile of a head's attention map at a zoom: cell (i, j) stands for the 2^zoom × 2^zoom weights
/// exp(q·k/√head_dim − lse) of queries first_query + i·2^zoom … and keys first_key + j·2^zoom ….
///
///   maximum, mean  [rows, cols] f32: over the cell's visible pairs; exactly 0 where nothing is visible
///   visible_share  [rows, cols] f32: visible pairs / pairs inside the map and on or below the diagonal (0 where there
///   is none)
///
/// Cells beyond the sequence or wholly above the diagonal are 0 in all three. At zoom 0 maximum = mean = the weight.
/// A head's weights of one query sum to 1 over its visible keys, to f32 rounding.
/// Cost: visible pairs only, 2·head_dim operations each. Errors: shape_mismatch, invalid_argument (zoom < 0, a first
/// position < 0).
Status attention_tile(Backend backend, const AttentionMapSource& source, TokenPos first_query, TokenPos first_key,
                      int zoom, View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share);

}  // namespace natscope::kernels
