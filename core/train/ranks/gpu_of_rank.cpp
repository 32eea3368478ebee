// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/ranks/gpu_of_rank.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace natscope::train {

namespace {

constexpr const char* variable = "CUDA_VISIBLE_DEVICES";

}  // namespace

Expected<std::string> visible_gpu(std::optional<std::string_view> given, int local_rank, int local_size) {
  if (!given) return std::to_string(local_rank);
  std::vector<std::string_view> named;
  for (std::string_view rest = *given; !rest.empty();) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    named.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (named.size() <= 1) return std::string(*given);
  if (named.size() < static_cast<std::size_t>(local_size)) {
    return fail(ErrorCode::device_unavailable,
                std::to_string(local_size) + " ranks on this machine, and " + std::to_string(named.size()) +
                    " GPUs for them (" + variable + ")",
                "start as many ranks as there are GPUs");
  }
  return std::string(named[static_cast<std::size_t>(local_rank)]);
}

Expected<void> take_gpu_of_rank(const RankGroup& ranks) {
  if (ranks.local_size() == 1) return {};
  const char* const given = std::getenv(variable);
  NATSCOPE_TRY(const std::string chosen,
               visible_gpu(given != nullptr ? std::optional<std::string_view>(given) : std::nullopt, ranks.local_rank(),
                           ranks.local_size()));
  ::setenv(variable, chosen.c_str(), 1);
  return {};
}

}  // namespace natscope::train
