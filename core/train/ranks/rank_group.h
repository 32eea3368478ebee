// SPDX-License-Identifier: GPL-3.0-or-later
/// Processes that train one model together, each on its share of a batch (data parallel).
///
///     NATSCOPE_TRY(auto ranks, join_ranks(stop));  // one rank, unless mpirun or srun started this process
///     … each layer's gradient as soon as it stands: ranks->begin_all_reduce(part); …
///     NATSCOPE_CHECK(ranks->finish_all_reduce());
///
/// Every rank makes the same calls in the same order with the same lengths. The sum of two ranks is the same number on
/// both, so that weights that began equal stay equal. A rank that fails ends its process without leave(): the starter
/// (mpirun, srun) then ends the others. One thread, the one that joined. MPI stands behind it in a module of its own,
/// libnatscope_mpi.so, which is loaded only where there are ranks: nobody else needs an MPI installation.
///
/// A signal reaches the ranks at different places of a step, and one that has left it will not come to the sum that
/// another waits in. Therefore no wait outlasts a stop request: it ends as `interrupted`, with half of a sum.
///
/// Numbers lie in host memory; a gradient on GPUs is added up there (device_all_reduce.h), counts and losses here.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/base/cancel.h"
#include "core/base/expected.h"

namespace natscope::train {

class RankGroup {
 public:
  RankGroup() = default;
  virtual ~RankGroup() = default;
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;

  [[nodiscard]] virtual int rank() const = 0;  ///< 0 … size() - 1
  [[nodiscard]] virtual int size() const = 0;
  /// Ranks on this machine: they share its cores, and each takes one of its GPUs.
  [[nodiscard]] virtual int local_size() const = 0;
  [[nodiscard]] virtual int local_rank() const = 0;  ///< 0 … local_size() - 1
  /// Whether this is the one that writes files and says what happens.
  [[nodiscard]] bool leads() const { return rank() == 0; }

  /// Begins to add up `numbers` over all ranks, in place; they must stay untouched until finish_all_reduce(). Several
  /// may be under way; what is computed meanwhile hides them. Errors: io_failure (a rank is gone).
  [[nodiscard]] virtual Expected<void> begin_all_reduce(std::span<float> numbers) = 0;
  /// Waits for all sums that were begun. Errors: io_failure, interrupted.
  [[nodiscard]] virtual Expected<void> finish_all_reduce() = 0;
  /// Adds up and waits: counts, flags, losses. Errors: io_failure, interrupted.
  [[nodiscard]] virtual Expected<void> all_reduce(std::span<double> numbers) = 0;
  /// Waits until every rank is here. Errors: as all_reduce().
  [[nodiscard]] Expected<void> barrier();
  /// Whether it is so on every rank. Errors: as all_reduce().
  [[nodiscard]] Expected<bool> all_reduce_and(bool here);
  /// Gives every rank what the leading one has. Errors: as all_reduce().
  [[nodiscard]] Expected<void> broadcast(std::span<float> numbers);

  /// Called by a rank that gives up, while what it sums still exists: another rank hands its error to the leading one,
  /// whose next wait ends with it. A second call does nothing.
  virtual void give_up(const Error& error) = 0;
  /// Whether the leading rank says why this one ended.
  [[nodiscard]] virtual bool is_spoken_for() const = 0;

  /// The good end, called by every rank; afterwards the group is of no use. Without it the process must end.
  [[nodiscard]] virtual Expected<void> leave() = 0;
};

/// How many processes the starter (mpirun, srun) says that there are; 1 where nobody does.
[[nodiscard]] int ranks_in_environment();

/// A group of this process alone: sums are what they were.
[[nodiscard]] std::unique_ptr<RankGroup> single_rank();

/// The group that mpirun or srun started this process in, as their variables in the environment say.
/// `stop`: what ends its waits. Errors: device_unavailable (several ranks, but this build or this machine has no MPI),
/// io_failure.
[[nodiscard]] Expected<std::unique_ptr<RankGroup>> join_ranks(const StopToken& stop);

/// The function that libnatscope_mpi.so exports, as natscope_join_mpi: a group, or null with a text in `problem`.
using JoinRanks = RankGroup*(const StopToken& stop, char* problem, std::size_t problem_bytes);

}  // namespace natscope::train
