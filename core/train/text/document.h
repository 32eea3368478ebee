// SPDX-License-Identifier: GPL-3.0-or-later
/// One document of a fine-tuning run.
#pragma once

#include <cstdint>
#include <vector>

namespace natscope::train {

struct Document {
  std::vector<std::int32_t> tokens;   ///< [T], the beginning-of-sequence token included; T >= 2
  std::vector<std::uint8_t> counted;  ///< [T]: 1 where the hidden state is part of the loss (of an answer:
                                      ///< the positions that predict its tokens); empty: everywhere
  std::uint64_t bytes = 0;            ///< of its text; 0 where it was made

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }
};

}  // namespace natscope::train
