// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/ranks/gpu_of_rank.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

namespace natscope::train {

namespace {

constexpr const char* variable = "CUDA_VISIBLE_DEVICES";

/// Nothing where it is not there, or no number.
std::optional<int> number_in_environment(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view all(text);
  int value = 0;
  const auto [end, problem] = std::from_chars(all.data(), all.data() + all.size(), value);
  if (problem != std::errc() || end != all.data() + all.size() || value < 0) return std::nullopt;
  return value;
}

Expected<void> take_gpu(int local_rank, int local_size) {
  const char* const given = std::getenv(variable);
  NATSCOPE_TRY(
      const std::string chosen,
      visible_gpu(given != nullptr ? std::optional<std::string_view>(given) : std::nullopt, local_rank, local_size));
  ::setenv(variable, chosen.c_str(), 1);
  return {};
}

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
  return take_gpu(ranks.local_rank(), ranks.local_size());
}

void take_gpu_of_starter() {
  for (const auto& [rank_name, size_name] : {std::pair{"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
                                             std::pair{"SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"}}) {
    const auto local_rank = number_in_environment(rank_name);
    const auto local_size = number_in_environment(size_name);
    if (!local_rank || !local_size || *local_rank >= *local_size) continue;
    if (*local_size > 1) static_cast<void>(take_gpu(*local_rank, *local_size));
    return;
  }
}

void hide_gpus() { ::setenv(variable, "", 1); }

}  // namespace natscope::train
