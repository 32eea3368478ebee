// SPDX-License-Identifier: GPL-3.0-or-later
// Sums through a library with NCCL's names: who waits for what, and what is said where it cannot be.
#include "core/train/ranks/nccl_all_reduce.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/shared_library.h"
#include "tests/core/train/ranks/nccl_on_host.h"
#include "tests/core/train/ranks/thread_ranks.h"

using namespace natscope;
using namespace natscope::train;

namespace {

const std::filesystem::path on_host = std::filesystem::path(NATSCOPE_TEST_MODULES_DIR) / "libnatscope_nccl_on_host.so";

/// A device's two streams, and in which order they were asked for what.
struct Streams {
  test::HostStream side;
  std::string calls;
};

class RecordedSide final : public SideStream {
 public:
  explicit RecordedSide(Streams& streams) : streams_(streams) {}
  [[nodiscard]] void* handle() const override { return &streams_.side; }
  [[nodiscard]] Expected<void> wait_for_computing() override {
    streams_.calls += "w" + std::to_string(streams_.side.waiting.size());
    return {};
  }
  [[nodiscard]] Expected<void> let_computing_wait() override {
    streams_.calls += "l" + std::to_string(streams_.side.waiting.size());
    return {};
  }
  [[nodiscard]] bool is_idle() const override { return streams_.side.waiting.empty(); }

 private:
  Streams& streams_;
};

test::CommunicatorEnds ends() {
  const auto library = SharedLibrary::open(on_host);
  REQUIRE(library.has_value());
  const auto function = library->function<test::CommunicatorEnds*()>("nccl_on_host_ends");
  REQUIRE(function.has_value());
  return *(*function)();
}

/// What each of `size` ranks is told that opens the library of its number, or of the last one.
std::vector<Error> problems(int size, const std::vector<std::filesystem::path>& libraries) {
  std::vector<Error> errors(static_cast<std::size_t>(size));
  test::on_ranks(size, [&](RankGroup& ranks) {
    const auto rank = static_cast<std::size_t>(ranks.rank());
    Streams streams;
    auto sums = nccl_all_reduce(ranks, std::make_unique<RecordedSide>(streams),
                                libraries[std::min(rank, libraries.size() - 1)]);
    if (!sums) errors[rank] = sums.error();
  });
  return errors;
}

}  // namespace

TEST_CASE("sums are of all ranks, behind what was computed, and nobody waits for them") {
  const test::CommunicatorEnds before = ends();
  std::vector<std::vector<float>> numbers(3);
  std::vector<std::string> problem(3), calls(3);
  std::vector<bool> waited(3);
  test::on_ranks(3, [&](RankGroup& ranks) {
    const auto rank = static_cast<std::size_t>(ranks.rank());
    numbers[rank] = {1.0F * static_cast<float>(rank), 10, -1, 0.25F, 7};
    Streams streams;
    auto sums = nccl_all_reduce(ranks, std::make_unique<RecordedSide>(streams), on_host);
    if (!sums) {
      problem[rank] = sums.error().message;
      return;
    }
    const std::vector<float> untouched = numbers[rank];
    for (const auto& [begin, count] : std::vector<std::pair<int, int>>{{3, 1}, {0, 2}}) {
      if (auto begun = (*sums)->begin(numbers[rank].data() + begin, count); !begun)
        problem[rank] = begun.error().message;
    }
    if (auto finished = (*sums)->finish(); !finished) problem[rank] = finished.error().message;
    waited[rank] = numbers[rank] != untouched;
    calls[rank] = streams.calls;
    streams.side.work();
  });
  for (std::size_t rank = 0; rank < 3; ++rank) {
    CAPTURE(rank);
    CHECK(problem[rank].empty());
    CHECK_FALSE(waited[rank]);
    CHECK(calls[rank] == "w0w1l2");
    CHECK(numbers[rank] == std::vector<float>{3, 30, -1, 0.75F, 7});
  }
  CHECK(ends().destroyed == before.destroyed + 3);
  CHECK(ends().aborted == before.aborted);
}

TEST_CASE("a sum that is still under way is given up, not waited for") {
  const test::CommunicatorEnds before = ends();
  test::on_ranks(2, [](RankGroup& ranks) {
    std::vector<float> numbers(4);
    Streams streams;
    auto sums = nccl_all_reduce(ranks, std::make_unique<RecordedSide>(streams), on_host);
    if (sums) static_cast<void>((*sums)->begin(numbers.data(), 4));
    sums = fail(ErrorCode::interrupted, "");
  });
  CHECK(ends().aborted == before.aborted + 2);
  CHECK(ends().destroyed == before.destroyed);
}

TEST_CASE("where there is no NCCL, on all ranks or on one, all of them end") {
  const std::filesystem::path missing = "/nowhere/libnccl.so.2";
  const auto both = problems(2, {missing});
  CHECK(both[0].code == ErrorCode::device_unavailable);
  CHECK(both[0].message.find("NCCL cannot be loaded") != std::string::npos);
  CHECK(both[1].message == both[0].message);
  const auto one = problems(2, {on_host, missing});
  CHECK(one[0].message == "another rank cannot use NCCL");
  CHECK(one[1].message.find("NCCL cannot be loaded") != std::string::npos);
  // A library of that name that has none of its functions.
  const auto other = problems(2, {"libm.so.6"});
  CHECK(other[1].message.find("ncclGetErrorString") != std::string::npos);
}

TEST_CASE("NCCL's words are those of the error") {
  for (const Error& error : problems(test::most_ranks + 1, {on_host})) {
    CHECK(error.code == ErrorCode::device_unavailable);
    CHECK(error.message == "NCCL, joining the ranks: invalid argument");
  }
}
