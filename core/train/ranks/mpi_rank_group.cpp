// SPDX-License-Identifier: GPL-3.0-or-later
// libnatscope_mpi.so: a RankGroup over MPI's world.
#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "core/train/ranks/rank_group.h"

namespace natscope::train {
namespace {

std::string text_of(int code) {
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  return {text, static_cast<std::size_t>(std::max(length, 0))};
}

Expected<void> checked(int code, const char* what) {
  if (code == MPI_SUCCESS) return {};
  return fail(ErrorCode::io_failure, std::string("MPI, ") + what + ": " + text_of(code),
              "see whether a rank has ended");
}

/// A sum in flight moves on only inside MPI's calls: in pieces, the first ones are done while later layers compute.
constexpr std::size_t piece_numbers = std::size_t{1} << 20U;

class MpiRankGroup final : public RankGroup {
 public:
  MpiRankGroup() {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm here = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    MPI_Comm_size(here, &local_size_);
    MPI_Comm_free(&here);
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] int local_size() const override { return local_size_; }

  [[nodiscard]] Expected<void> begin_sum(std::span<float> numbers) override {
    while (!numbers.empty()) {
      const std::span<float> piece = numbers.first(std::min(numbers.size(), piece_numbers));
      numbers = numbers.subspan(piece.size());
      MPI_Request request = MPI_REQUEST_NULL;
      NATSCOPE_CHECK(checked(MPI_Iallreduce(MPI_IN_PLACE, piece.data(), static_cast<int>(piece.size()), MPI_FLOAT,
                                            MPI_SUM, MPI_COMM_WORLD, &request),
                             "a sum over ranks"));
      requests_.push_back(request);
    }
    int done = 0;
    return checked(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE),
                   "a sum over ranks");
  }

  [[nodiscard]] Expected<void> finish_sums() override {
    const int code = MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
    requests_.clear();
    return checked(code, "a sum over ranks");
  }

  [[nodiscard]] Expected<void> sum(std::span<double> numbers) override {
    return checked(MPI_Allreduce(MPI_IN_PLACE, numbers.data(), static_cast<int>(numbers.size()), MPI_DOUBLE, MPI_SUM,
                                 MPI_COMM_WORLD),
                   "a sum over ranks");
  }

  [[nodiscard]] Expected<void> leave() override { return checked(MPI_Finalize(), "the end"); }

 private:
  int rank_ = 0;
  int size_ = 1;
  int local_size_ = 1;
  std::vector<MPI_Request> requests_;
};

}  // namespace
}  // namespace natscope::train

extern "C" __attribute__((visibility("default"))) natscope::train::RankGroup* natscope_join_mpi(
    char* problem, std::size_t problem_bytes) {
  int provided = 0;
  if (const int code = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided); code != MPI_SUCCESS) {
    std::snprintf(problem, problem_bytes, "%s", natscope::train::text_of(code).c_str());
    return nullptr;
  }
  return new natscope::train::MpiRankGroup();
}
