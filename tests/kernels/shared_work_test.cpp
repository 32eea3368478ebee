// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared_work.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace natscope::kernels;

namespace {

constexpr double much_work = 1e9;

class Threads {
 public:
  explicit Threads(int threads) : before_(max_threads()) { set_threads(threads); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { set_threads(before_); }

 private:
  int before_;
};

/// How often each index of a loop was run, and by how many threads at a time a number was held.
struct Seen {
  explicit Seen(std::int64_t count) : times(static_cast<std::size_t>(count)), holders(64) {}

  void run(int thread, std::int64_t begin, std::int64_t end) {
    std::atomic<int>& holder = holders[static_cast<std::size_t>(thread)];
    if (holder.fetch_add(1) != 0) held_twice = true;
    for (std::int64_t index = begin; index < end; ++index) ++times[static_cast<std::size_t>(index)];
    holder.fetch_sub(1);
  }

  [[nodiscard]] bool each_once() const {
    return std::ranges::all_of(times, [](const std::atomic<int>& number) { return number == 1; });
  }

  std::vector<std::atomic<int>> times;
  std::vector<std::atomic<int>> holders;
  std::atomic<bool> held_twice{false};
};

}  // namespace

TEST_CASE("every step of a shared loop is done once, whatever the sizes") {
  for (const int threads : {1, 2, 3, 16}) {
    const Threads these(threads);
    CHECK(max_threads() == threads);
    for (const std::int64_t count : {0, 1, 2, 31, 32, 33, 1009}) {
      for (const std::int64_t step : {1, 7, 32, 5000}) {
        INFO(threads << " threads, " << count << " by " << step);
        Seen seen(count);
        std::atomic<std::int64_t> longest{0};
        share_work(count, step, much_work, [&](int thread, std::int64_t begin, std::int64_t end) {
          if (thread < 0 || thread >= threads || begin < 0 || begin >= end || end > count) seen.held_twice = true;
          longest = std::max(longest.load(), end - begin);
          seen.run(thread, begin, end);
        });
        CHECK(seen.each_once());
        CHECK_FALSE(seen.held_twice);
        if (threads > 1 && count > step) CHECK(longest <= step);
      }
    }
  }
}

TEST_CASE("little work stays on the thread that calls") {
  const Threads these(4);
  std::set<std::thread::id> ids;
  share_work(100, 1, 1000, [&](int thread, std::int64_t begin, std::int64_t end) {
    CHECK(thread == 0);
    CHECK(begin == 0);
    CHECK(end == 100);
    ids.insert(std::this_thread::get_id());
  });
  CHECK(ids == std::set{std::this_thread::get_id()});
}

TEST_CASE("a loop inside a loop runs on the thread that comes to it") {
  const Threads these(4);
  Seen seen(64 * 64);
  share_work(64, 1, much_work, [&](int, std::int64_t outer, std::int64_t) {
    const auto self = std::this_thread::get_id();
    share_rows(64, much_work, [&](std::int64_t inner) {
      if (std::this_thread::get_id() != self) seen.held_twice = true;
      ++seen.times[static_cast<std::size_t>(outer * 64 + inner)];
    });
  });
  CHECK(seen.each_once());
  CHECK_FALSE(seen.held_twice);
}

TEST_CASE("several threads share loops of their own at the same time, and change how many help them") {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int loop = 0; loop < 300; ++loop) {
        set_threads(1 + (caller + loop / 50) % 5);
        const int most = max_threads();
        Seen seen(97);
        share_work(97, 3, much_work, [&](int thread, std::int64_t begin, std::int64_t end) {
          if (thread >= most) ++wrong;
          seen.run(thread, begin, end);
        });
        if (!seen.each_once() || seen.held_twice) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("threads that come late find a loop closed, and nothing of the next one done too early") {
  const Threads these(24);
  for (int loop = 0; loop < 4000; ++loop) {
    std::array<std::atomic<int>, 24> times{};
    share_work(24, 1, much_work,
               [&](int, std::int64_t begin, std::int64_t) { ++times[static_cast<std::size_t>(begin)]; });
    for (const std::atomic<int>& number : times) REQUIRE(number == 1);
  }
}

TEST_CASE("a thread that is held up in a step does not keep the others from the rest") {
  const Threads these(4);
  constexpr std::int64_t count = 400;
  std::atomic<std::int64_t> done{0};
  std::atomic<bool> gave_up{false};
  share_work(count, 1, much_work, [&](int, std::int64_t begin, std::int64_t) {
    if (begin == 0) {  // the first step lasts until all others are done, by whomever
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      while (done < count - 1) {
        if (std::chrono::steady_clock::now() > end) {
          gave_up = true;
          break;
        }
        std::this_thread::yield();
      }
    }
    ++done;
  });
  CHECK(done == count);
  CHECK_FALSE(gave_up);
}

TEST_CASE("what a step throws comes to the caller, whoever ran it, and the next loop is whole") {
  const Threads these(3);
  for (const std::int64_t bad : {0, 1, 17, 29}) {
    for (int loop = 0; loop < 200; ++loop) {
      std::atomic<int> inside{0};
      const auto run = [&] {
        share_work(30, 1, much_work, [&](int, std::int64_t begin, std::int64_t) {
          ++inside;
          const bool throws = begin == bad;
          if (!throws) std::this_thread::yield();
          --inside;
          if (throws) throw std::runtime_error("step " + std::to_string(begin));
        });
      };
      CHECK_THROWS_WITH(run(), ("step " + std::to_string(bad)).c_str());
      CHECK(inside == 0);
      Seen seen(30);
      share_work(30, 1, much_work,
                 [&](int thread, std::int64_t begin, std::int64_t end) { seen.run(thread, begin, end); });
      REQUIRE(seen.each_once());
    }
  }
  // All of them at once: one is told, the others are not lost in a thread.
  const auto all = [] {
    share_work(30, 1, much_work, [](int, std::int64_t, std::int64_t) { throw std::bad_alloc(); });
  };
  CHECK_THROWS_AS(all(), std::bad_alloc);
}

TEST_CASE("a loop is over when steps on other threads are") {
  const Threads these(3);
  for (int loop = 0; loop < 20; ++loop) {
    constexpr std::int64_t count = 30;
    static std::atomic<std::int64_t> done;  // static: a step that outlived its loop would still find it
    done = 0;
    share_work(count, 1, much_work, [](int thread, std::int64_t, std::int64_t) {
      std::this_thread::sleep_for(std::chrono::microseconds(thread == 0 ? 100 : 3000));
      ++done;
    });
    CHECK(done == count);
  }
}
