// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/kernels/map_loops_on_host.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/cuda/map_loops.h"
#include "kernels/launch/map_checks.h"

namespace natscope::test {

namespace {

using kernels::AttentionMapSource;
using kernels::ElementType;
using kernels::Status;
using kernels::StoredRows;
using kernels::View;
namespace cuda = kernels::cuda;

float element(const StoredRows& rows, std::int64_t row, std::int64_t column) {
  const std::int64_t at = row * rows.row_stride + column;
  return rows.dtype == ElementType::f32 ? static_cast<const float*>(rows.data)[at]
                                        : kernels::to_float(static_cast<const kernels::Bf16*>(rows.data)[at]);
}

/// A square of pairs in one array, all threads in one.
class HostMapBlock {
 public:
  HostMapBlock(const AttentionMapSource& source, const cuda::MapArrays& map) : source_(source), map_(map) {}

  [[nodiscard]] bool any_seen(std::int64_t m, std::int64_t n) const {
    for (std::int64_t key = n; key < std::min(n + cuda::map_side, map_.tokens); ++key) {
      if (key < m + cuda::map_side && std::max<std::int64_t>(map_.last_query[key], key) >= m) return true;
    }
    return false;
  }
  void weigh(std::int64_t m, std::int64_t n) {
    const float scale = 1 / std::sqrt(static_cast<float>(map_.head_dim));
    log_weights_.fill(std::numeric_limits<float>::quiet_NaN());
    for (std::int64_t i = 0; i < cuda::map_side && m + i < map_.tokens; ++i) {
      for (std::int64_t j = 0; j < cuda::map_side && n + j < map_.tokens; ++j) {
        float sum = 0;
        for (std::int64_t d = 0; d < map_.head_dim; ++d)
          sum += element(source_.queries, m + i, d) * element(source_.keys, n + j, d);
        log_weights_[at(i, j)] = sum * scale - map_.lse[m + i];
      }
    }
  }
  void leave() {}
  template <class F>
  void each_weight(const F& f) const {
    for (std::int32_t i = 0; i < cuda::map_side; ++i) {
      for (std::int32_t j = 0; j < cuda::map_side; ++j) f(i, j, log_weight(i, j));
    }
  }
  [[nodiscard]] float log_weight(std::int32_t i, std::int32_t j) const { return log_weights_[at(i, j)]; }
  template <class F>
  void each_cell(std::int32_t count, const F& f) const {
    for (std::int32_t index = 0; index < count; ++index) f(index);
  }
  template <class F>
  void join(const cuda::CellSums& sums, const F& f) const {
    f(sums);
  }
  void add_row(std::int32_t i, const cuda::RowStatistics& added) {
    cuda::RowStatistics& row = rows_[static_cast<std::size_t>(i)];
    row.entropy += added.entropy;
    row.sink_weight += added.sink_weight;
    row.self_weight += added.self_weight;
    row.distance += added.distance;
    row.lost += added.lost;
  }
  template <class F>
  void each_row(const F& f) const {
    for (std::int32_t i = 0; i < cuda::map_side; ++i) f(i, rows_[static_cast<std::size_t>(i)]);
  }

 private:
  static std::size_t at(std::int64_t i, std::int64_t j) { return static_cast<std::size_t>(i * cuda::map_side + j); }

  const AttentionMapSource& source_;
  const cuda::MapArrays& map_;
  std::array<float, cuda::map_side * cuda::map_side> log_weights_{};
  std::array<cuda::RowStatistics, cuda::map_side> rows_{};
};

cuda::MapArrays arrays_of(const AttentionMapSource& source) {
  return {source.queries.data,       source.keys.data,
          source.queries.row_stride, source.keys.row_stride,
          source.lse.data(),         source.last_query.data(),
          source.queries.rows,       static_cast<std::int32_t>(source.queries.cols)};
}

}  // namespace

Status map_loops_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                      View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share) {
  if (const Status status =
          kernels::launch::check_tile(source, first_query, first_key, zoom, maximum, mean, visible_share);
      !status.ok()) {
    return status;
  }
  const cuda::MapArrays map = arrays_of(source);
  const cuda::MapCells cells{first_query.value, first_key.value, zoom, maximum.size(0), maximum.size(1)};
  for (std::int64_t down = 0; cells.cols > 0 && down < cells.row_blocks(); ++down) {
    for (std::int64_t right = 0; right < cells.col_blocks(); ++right) {
      HostMapBlock block(source, map);
      cuda::map_cells_block(block, map, cells, down, right,
                            [&](std::int64_t row, std::int64_t col, float largest, float average, float share) {
                              maximum(row, col) = largest;
                              mean(row, col) = average;
                              visible_share(row, col) = share;
                            });
    }
  }
  return {};
}

Status map_loops_statistics(const AttentionMapSource& source, TokenPos first_query,
                            std::span<const std::int32_t> other_last_query, const kernels::RowStatisticsOut& out) {
  if (const Status status = kernels::launch::check_statistics(source, first_query, other_last_query, out); !status.ok())
    return status;
  const std::int64_t count = out.count();
  const std::int32_t* const other = out.lost.empty() ? nullptr : other_last_query.data();
  const cuda::MapArrays map = arrays_of(source);
  for (std::int64_t first = first_query.value; first < first_query.value + count; first += cuda::map_side) {
    HostMapBlock block(source, map);
    cuda::map_rows_block(block, map, other, first, std::min(first + cuda::map_side, first_query.value + count),
                         [&](std::int64_t m, const cuda::RowStatistics& row) {
                           const auto at = static_cast<std::size_t>(m - first_query.value);
                           const auto put = [at](std::span<float> to, float value) {
                             if (!to.empty()) to[at] = value;
                           };
                           put(out.entropy, row.entropy);
                           put(out.sink_weight, row.sink_weight);
                           put(out.self_weight, row.self_weight);
                           put(out.distance, row.distance);
                           put(out.lost, row.lost);
                         });
  }
  return {};
}

}  // namespace natscope::test
