// SPDX-License-Identifier: GPL-3.0-or-later
// All ranks compute on the same kind of device, or none does.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/train/passes/training_device.h"
#include "tests/core/train/ranks/thread_ranks.h"

using namespace natscope;
using namespace natscope::train;

namespace {

struct State {
  bool* joined = nullptr;
  Expected<void> join(RankGroup&) const {
    *joined = true;
    return {};
  }
};

struct Model {
  PassesOn passes = PassesOn::cpu;
  State state;
  State* state_on_device() { return &state; }
};

struct Made {
  std::string problem;
  PassesOn passes = PassesOn::libtorch;  // not one of those asked for
  bool joined = false;
};

/// What each rank gets where those before `without` have a GPU.
std::vector<Made> make(TrainDevice wanted, int size, int without) {
  std::vector<Made> all(static_cast<std::size_t>(size));
  test::on_ranks(size, [&](RankGroup& ranks) {
    Made& made = all[static_cast<std::size_t>(ranks.rank())];
    auto model = make_on(
        wanted, ranks, [](const std::string&) {},
        [&](PassesOn passes) -> Expected<Model> {
          if (passes == PassesOn::gpu && ranks.rank() >= without)
            return fail(ErrorCode::device_unavailable, "no driver");
          return Model{passes, {&made.joined}};
        });
    if (model) {
      made.passes = model->passes;
    } else {
      made.problem = model.error().message;
    }
  });
  return all;
}

}  // namespace

TEST_CASE("where every rank has a GPU, all of them join") {
  for (const Made& made : make(TrainDevice::gpu, 2, 2)) {
    CHECK(made.problem.empty());
    CHECK(made.passes == PassesOn::gpu);
    CHECK(made.joined);
  }
  // One rank has nobody to share its gradient with.
  const Made alone = make(TrainDevice::gpu, 1, 1)[0];
  CHECK(alone.passes == PassesOn::gpu);
  CHECK_FALSE(alone.joined);
}

TEST_CASE("where one rank has none, none computes on a GPU, and each says why") {
  const auto some = make(TrainDevice::gpu, 3, 2);
  CHECK(some[0].problem == "another rank has no GPU");
  CHECK(some[1].problem == "another rank has no GPU");
  CHECK(some[2].problem == "no driver");
  for (const Made& made : some) CHECK_FALSE(made.joined);
}

TEST_CASE("a CPU that was asked for is not asked about GPUs") {
  for (const Made& made : make(TrainDevice::cpu, 2, 0)) {
    CHECK(made.problem.empty());
    CHECK(made.passes == PassesOn::cpu);
  }
}
