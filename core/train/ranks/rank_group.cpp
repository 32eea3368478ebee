// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/ranks/rank_group.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "core/base/program_folder.h"
#include "core/base/shared_library.h"
#include "core/train/ranks/gpu_of_rank.h"

namespace natscope::train {
namespace {

class SingleRank final : public RankGroup {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 1; }
  [[nodiscard]] int local_size() const override { return 1; }
  [[nodiscard]] int local_rank() const override { return 0; }
  [[nodiscard]] Expected<void> begin_all_reduce(std::span<float>) override { return {}; }
  [[nodiscard]] Expected<void> finish_all_reduce() override { return {}; }
  [[nodiscard]] Expected<void> all_reduce(std::span<double>) override { return {}; }
  void give_up(const Error&) override {}
  [[nodiscard]] bool is_spoken_for() const override { return false; }
  [[nodiscard]] Expected<void> leave() override { return {}; }
};

}  // namespace

// srun sets PMI's or PMIx's variables for those it started; SLURM_NTASKS alone is also there in a batch script, which
// runs once.
int ranks_in_environment() {
  const auto number = [](const char* name) {
    const char* text = std::getenv(name);
    int value = 0;
    if (text != nullptr) std::from_chars(text, text + std::string_view(text).size(), value);
    return value;
  };
  if (const int ranks = number("OMPI_COMM_WORLD_SIZE"); ranks > 0) return ranks;
  if (const int ranks = number("PMI_SIZE"); ranks > 0) return ranks;
  if (std::getenv("PMIX_RANK") != nullptr) return number("SLURM_NTASKS");
  return 1;
}

Expected<void> RankGroup::barrier() {
  double nothing = 0;
  return all_reduce({&nothing, 1});
}

Expected<bool> RankGroup::all_reduce_and(bool here) {
  double agreeing = here ? 1 : 0;
  NATSCOPE_CHECK(all_reduce({&agreeing, 1}));
  return agreeing == size();
}

Expected<void> RankGroup::broadcast(std::span<float> numbers) {
  // A sum in which the others have zeros.
  if (!leads()) std::fill(numbers.begin(), numbers.end(), 0.0F);
  NATSCOPE_CHECK(begin_all_reduce(numbers));
  return finish_all_reduce();
}

std::unique_ptr<RankGroup> single_rank() { return std::make_unique<SingleRank>(); }

Expected<std::unique_ptr<RankGroup>> join_ranks(const StopToken& stop) {
  const int ranks = ranks_in_environment();
  if (ranks <= 1) return single_rank();
  const auto refuse = [ranks](const std::string& why) {
    return fail(ErrorCode::device_unavailable, "one of " + std::to_string(ranks) + " ranks, but " + why,
                "install OpenMPI (libopenmpi-dev) and build again, or start one process");
  };
  const std::filesystem::path path = program_module("libnatscope_mpi.so");
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return refuse("this build has no MPI");
  take_gpu_of_starter();
  // Open MPI loads parts of itself that expect its symbols to be global.
  const auto module = SharedLibrary::open(path, SharedLibrary::Symbols::global);
  if (!module) return refuse("MPI cannot be loaded: " + module.error().message);
  const auto join = module->function<JoinRanks>("natscope_join_mpi");
  if (!join) return refuse("libnatscope_mpi.so is of another version");
  std::array<char, 512> problem{};
  std::unique_ptr<RankGroup> group((*join)(stop, problem.data(), problem.size()));
  if (!group) return fail(ErrorCode::io_failure, std::string("MPI does not begin: ") + problem.data());
  return group;
}

}  // namespace natscope::train
