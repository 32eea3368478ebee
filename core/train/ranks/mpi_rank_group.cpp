// SPDX-License-Identifier: GPL-3.0-or-later
// libnatscope_mpi.so: a RankGroup over MPI's world.
#include <mpi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>
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

/// How long a rank that failed waits for the leading one to take its error, and that one for the others'. Not on
/// Ctrl+C: give_up() returns at once then.
constexpr std::chrono::milliseconds patience{1000};
constexpr std::chrono::milliseconds patience_of_leader{100};

class MpiRankGroup final : public RankGroup {
 public:
  explicit MpiRankGroup(StopToken stop) : stop_(std::move(stop)) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    // Its own, so that a rank may give up while others are in a sum.
    MPI_Comm_dup(MPI_COMM_WORLD, &endings_);
    MPI_Comm here = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    MPI_Comm_size(here, &local_size_);
    MPI_Comm_rank(here, &local_rank_);
    MPI_Comm_free(&here);
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] int local_size() const override { return local_size_; }
  [[nodiscard]] int local_rank() const override { return local_rank_; }

  [[nodiscard]] Expected<void> begin_all_reduce(std::span<float> numbers) override {
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

  [[nodiscard]] Expected<void> finish_all_reduce() override {
    NATSCOPE_CHECK(wait(requests_));
    requests_.clear();
    return {};
  }

  [[nodiscard]] Expected<void> all_reduce(std::span<double> numbers) override {
    // Not in place of the caller's: a wait that is interrupted leaves MPI writing there.
    numbers_.assign(numbers.begin(), numbers.end());
    std::array<MPI_Request, 1> request{MPI_REQUEST_NULL};
    NATSCOPE_CHECK(checked(MPI_Iallreduce(MPI_IN_PLACE, numbers_.data(), static_cast<int>(numbers_.size()), MPI_DOUBLE,
                                          MPI_SUM, MPI_COMM_WORLD, request.data()),
                           "a sum over ranks"));
    NATSCOPE_CHECK(wait(request));
    std::copy(numbers_.begin(), numbers_.end(), numbers.begin());
    return {};
  }

  void give_up(const Error& error) override {
    // A signal reaches all; nobody needs to be told.
    if (given_up_ || error.code == ErrorCode::interrupted) return;
    given_up_ = true;
    if (rank_ == 0) {
      // What all of them met is said once: their words are taken, and dropped.
      int others = size_ - 1;
      until(patience_of_leader, [&] {
        while (others > 0 && report()) --others;
        return others == 0;
      });
      return;
    }
    words_ = std::string(1, static_cast<char>(error.code)) + error.message + '\0' + error.hint;
    MPI_Request request = MPI_REQUEST_NULL;
    // Synchronous: done means that the leading rank has it.
    if (MPI_Issend(words_.data(), static_cast<int>(words_.size()), MPI_CHAR, 0, 0, endings_, &request) != MPI_SUCCESS)
      return;
    spoken_for_ = until(patience, [&] {
      int done = 0;
      return MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done != 0;
    });
  }

  [[nodiscard]] bool is_spoken_for() const override { return spoken_for_; }

  [[nodiscard]] Expected<void> leave() override {
    given_up_ = true;
    spoken_for_ = rank_ != 0;
    return checked(MPI_Finalize(), "the end");
  }

 private:
  [[nodiscard]] Expected<void> wait(std::span<MPI_Request> requests) {
    for (int done = 0;;) {
      NATSCOPE_CHECK(
          checked(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE),
                  "a sum over ranks"));
      if (done != 0) return {};
      if (rank_ == 0) {
        if (auto error = report()) return Unexpected(std::move(*error));
      }
      NATSCOPE_CHECK(check(stop_));
      std::this_thread::yield();
    }
  }

  /// The error of another rank that gave up.
  [[nodiscard]] std::optional<Error> report() const {
    int there = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, 0, endings_, &there, &status) != MPI_SUCCESS || there == 0) return std::nullopt;
    int length = 0;
    MPI_Get_count(&status, MPI_CHAR, &length);
    std::string words(static_cast<std::size_t>(std::max(length, 1)), '\0');
    if (MPI_Recv(words.data(), length, MPI_CHAR, status.MPI_SOURCE, 0, endings_, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
      return std::nullopt;
    }
    const std::size_t end = std::min(words.find('\0', 1), words.size());
    return make_error(static_cast<ErrorCode>(words[0]),
                      "rank " + std::to_string(status.MPI_SOURCE) + ": " + words.substr(1, end - 1),
                      words.substr(std::min(end + 1, words.size())));
  }

  template <class Done>
  static bool until(std::chrono::milliseconds limit, Done done) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  StopToken stop_;
  std::string words_;  // on their way to the leading rank
  bool given_up_ = false;
  bool spoken_for_ = false;
  MPI_Comm endings_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  int local_size_ = 1;
  int local_rank_ = 0;
  std::vector<MPI_Request> requests_;
  std::vector<double> numbers_;
};

}  // namespace
}  // namespace natscope::train

extern "C" __attribute__((visibility("default"))) natscope::train::RankGroup* natscope_join_mpi(
    const natscope::StopToken& stop, char* problem, std::size_t problem_bytes) {
  int provided = 0;
  if (const int code = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided); code != MPI_SUCCESS) {
    std::snprintf(problem, problem_bytes, "%s", natscope::train::text_of(code).c_str());
    return nullptr;
  }
  return new natscope::train::MpiRankGroup(stop);
}
