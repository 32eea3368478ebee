// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/train/ranks/thread_ranks.h"

#include <algorithm>
#include <barrier>
#include <thread>
#include <vector>

namespace natscope::test {
namespace {

/// Where ranks put what is to be added up.
struct Meeting {
  explicit Meeting(int size) : all_here(size) {}

  std::barrier<> all_here;
  std::vector<double> sum;  // the leading rank's
};

class ThreadRank final : public train::RankGroup {
 public:
  ThreadRank(Meeting& meeting, int rank, int size) : meeting_(meeting), rank_(rank), size_(size) {}

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] int local_size() const override { return size_; }
  [[nodiscard]] int local_rank() const override { return rank_; }

  [[nodiscard]] Expected<void> begin_all_reduce(std::span<float> numbers) override {
    begun_.push_back(numbers);
    return {};
  }

  [[nodiscard]] Expected<void> finish_all_reduce() override {
    for (const std::span<float> numbers : begun_) add_up(numbers);
    begun_.clear();
    return {};
  }

  [[nodiscard]] Expected<void> all_reduce(std::span<double> numbers) override {
    add_up(numbers);
    return {};
  }

  void give_up(const Error&) override {}
  [[nodiscard]] bool is_spoken_for() const override { return false; }
  [[nodiscard]] Expected<void> leave() override { return {}; }

 private:
  /// One rank after the other, so that every run has the same sum.
  template <class Number>
  void add_up(std::span<Number> numbers) {
    for (int turn = 0; turn < size_; ++turn) {
      if (turn == rank_) {
        if (turn == 0) meeting_.sum.assign(numbers.size(), 0.0);
        std::transform(numbers.begin(), numbers.end(), meeting_.sum.begin(), meeting_.sum.begin(),
                       [](Number mine, double sum) { return static_cast<double>(mine) + sum; });
      }
      meeting_.all_here.arrive_and_wait();
    }
    std::transform(meeting_.sum.begin(), meeting_.sum.end(), numbers.begin(),
                   [](double sum) { return static_cast<Number>(sum); });
    meeting_.all_here.arrive_and_wait();
  }

  Meeting& meeting_;
  int rank_;
  int size_;
  std::vector<std::span<float>> begun_;
};

}  // namespace

void on_ranks(int size, const std::function<void(train::RankGroup&)>& work) {
  Meeting meeting(size);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&meeting, &work, rank, size] {
      ThreadRank ranks(meeting, rank, size);
      work(ranks);
    });
  }
}

}  // namespace natscope::test
