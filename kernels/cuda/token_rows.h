// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/cuda/host_device.h"
#include "kernels/device_operations.h"

/// Which rows of weights a warp of a step's product has, for the device and for the CPU test that holds it to `ref`.
namespace natscope::kernels::cuda {

inline constexpr int token_rows_at_once = 2;  ///< rows of weights of a warp, that share one reading of x

/// One row of one of the products.
struct TokenRow {
  std::int32_t product = -1;  ///< -1: none
  std::int32_t row = 0;
};

/// Groups of token_rows_at_once rows: of the products one after the other; where they gate each other, a row of both.
/// Made on the host, and looked into by every warp.
struct TokenRows {
  static constexpr std::int64_t most = std::int64_t{1} << 30;  ///< rows, of a kernel: they are counted in 32 bits

  std::int32_t groups = 0;

  explicit TokenRows(const TokenProducts& call) : gates_(call.into == TokenProducts::Into::gate) {
    if (gates_) {
      groups = static_cast<std::int32_t>(call.products[0].out_size);
      return;
    }
    std::int32_t rows = 0;
    for (std::int32_t product = 0; product < TokenProducts::most; ++product) {
      if (product < call.count) rows += static_cast<std::int32_t>(call.products[product].out_size);
      ends_[product] = rows;
    }
    groups = (rows + token_rows_at_once - 1) / token_rows_at_once;
  }
  [[nodiscard]] NATSCOPE_HD TokenRow row(std::int32_t group, std::int32_t index) const {
    if (group >= groups) return {};
    if (gates_) return {index, group};
    const std::int32_t row = group * token_rows_at_once + index;
    TokenRow found{0, row};
    NATSCOPE_UNROLL
    for (std::int32_t product = 0; product < TokenProducts::most; ++product) {
      if (row >= ends_[product]) found = {product + 1, row - ends_[product]};
    }
    return found.product < TokenProducts::most ? found : TokenRow{};
  }

 private:
  bool gates_;
  std::int32_t ends_[TokenProducts::most] = {};  ///< of the products' rows, all counted together
};

/// How one kernel divides products. A team of `splits` warps has a group at a time; each of its warps has `pieces`
/// pieces to a lane of both rows, and all of them together have whole rows after `rounds`.
struct TokenPlan {
  static constexpr std::int32_t most_pieces = 4;  ///< so that x and the weights at hand stay in registers
  static constexpr std::int32_t most_splits = 16;
  static constexpr std::int32_t usual_warps = 8;  ///< of a block; more only where pieces are most_pieces
  static constexpr std::int64_t most_in_size = std::int64_t{1} << 30;  ///< columns are counted in 32 bits

  static constexpr std::int32_t single_warps = 4;  ///< of a block, where a warp has whole rows

  std::int32_t pieces = 1;
  std::int32_t splits = 1;
  std::int32_t teams = 1;  ///< of a block
  std::int32_t rounds = 1;
  std::int32_t groups = 0;

  /// Groups of rows of in_size, in pieces of `piece` numbers.
  TokenPlan(std::int32_t groups_, std::int64_t in_size, std::int32_t piece) : groups(groups_) {
    constexpr std::int64_t lanes = 32;
    const auto per = [](std::int64_t count, std::int64_t each) { return (count + each - 1) / each; };
    const std::int64_t of_row = in_size > piece ? per(in_size, piece) : 1;
    // A warp a row where its lanes hold that; else few pieces each and more warps, as far as those go.
    const std::int64_t whole_row = per(of_row, lanes);
    const std::int64_t each = whole_row < most_pieces ? whole_row : per(whole_row, 2) <= usual_warps ? 2 : most_pieces;
    const std::int64_t wanted = per(whole_row, each);
    splits = static_cast<std::int32_t>(wanted < most_splits ? wanted : most_splits);
    pieces = static_cast<std::int32_t>(each);
    rounds = static_cast<std::int32_t>(per(of_row, lanes * splits * pieces));
    teams = splits == 1 ? single_warps : splits < usual_warps ? usual_warps / splits : 1;
  }

  [[nodiscard]] std::int32_t warps() const { return splits * teams; }
  /// Blocks: no more than stay on the multiprocessors at once, with room left for the next kernel's first ones.
  [[nodiscard]] std::int64_t blocks(std::int64_t processors, std::int64_t resident_each) const {
    const std::int64_t usual = warps() < 2 * usual_warps ? 2 * usual_warps / warps() : 1;
    const std::int64_t each = resident_each < 1 ? 1 : resident_each < usual ? resident_each : usual;
    const std::int64_t wanted = (groups + teams - 1) / teams;
    return wanted < processors * each ? wanted : processors * each;
  }
  /// Groups from `begin` to before `end`, those of a block.
  struct Share {
    std::int32_t begin;
    std::int32_t end;
  };
  [[nodiscard]] NATSCOPE_HD Share share(std::int32_t block, std::int32_t of_blocks) const {
    const std::int32_t each = groups / of_blocks;
    const std::int32_t more = groups - each * of_blocks;  // that many blocks have one more
    const std::int32_t begin = block * each + (block < more ? block : more);
    return {begin, begin + each + (block < more ? 1 : 0)};
  }
};

/// Products [begin, end) that one kernel can take: of one type of weights.
[[nodiscard]] inline std::int32_t end_of_run(const TokenProducts& call, std::int32_t begin) {
  std::int32_t end = begin + 1;
  while (end < call.count && call.products[end].dtype == call.products[begin].dtype) ++end;
  return end;
}

}  // namespace natscope::kernels::cuda
