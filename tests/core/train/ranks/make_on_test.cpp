// SPDX-License-Identifier: GPL-3.0-or-later
// All ranks compute on the same kind of device, or none does.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/train/passes/training_device.h"
#include "core/train/training_loop.h"
#include "tests/core/train/ranks/thread_ranks.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::train;

namespace {

struct State {
  bool* joined = nullptr;
  bool joins = true;
  Expected<void> join(RankGroup&) const {
    if (!joins) return fail(ErrorCode::device_unavailable, "no NCCL");
    *joined = true;
    return {};
  }
};

struct Model {
  PassesOn passes = PassesOn::cpu;
  State state;
  State* device_state() { return &state; }
};

struct Made {
  std::string problem;
  PassesOn passes = PassesOn::libtorch;  // not one of those asked for
  bool joined = false;
};

/// What each rank gets where those before `without` have a GPU, and those before `apart` can add up gradients there.
std::vector<Made> make(Device wanted, int size, int without, int apart = 100) {
  std::vector<Made> all(static_cast<std::size_t>(size));
  test::on_ranks(size, [&](RankGroup& ranks) {
    Made& made = all[static_cast<std::size_t>(ranks.rank())];
    auto model = make_on(
        wanted, ranks, [](const std::string&) {},
        [&](PassesOn passes) -> Expected<Model> {
          if (passes == PassesOn::gpu && ranks.rank() >= without)
            return fail(ErrorCode::device_unavailable, "no driver");
          return Model{passes, {&made.joined, ranks.rank() < apart}};
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
  for (const Made& made : make(Device::cuda, 2, 2)) {
    CHECK(made.problem.empty());
    CHECK(made.passes == PassesOn::gpu);
    CHECK(made.joined);
  }
  // One rank has nobody to share its gradient with.
  const Made alone = make(Device::cuda, 1, 1)[0];
  CHECK(alone.passes == PassesOn::gpu);
  CHECK_FALSE(alone.joined);
}

TEST_CASE("where one rank has none, none computes on a GPU, and each says why") {
  const auto some = make(Device::cuda, 3, 2);
  CHECK(some[0].problem == "another rank has no GPU");
  CHECK(some[1].problem == "another rank has no GPU");
  CHECK(some[2].problem == "no driver");
  for (const Made& made : some) CHECK_FALSE(made.joined);
}

TEST_CASE("where GPUs cannot add up gradients, the CPUs compute unless a GPU was asked for") {
  const auto asked = make(Device::cuda, 2, 2, 1);
  CHECK(asked[0].problem == "another rank cannot add up gradients on its GPU");
  CHECK(asked[1].problem == "no NCCL");
  if (!DeviceModule::is_there({})) return;  // `any` asks no GPU then
  for (const Made& made : make(Device::automatic, 2, 2, 1)) {
    CHECK(made.problem.empty());
    CHECK(made.passes == PassesOn::cpu);
  }
}

TEST_CASE("a CPU that was asked for is not asked about GPUs") {
  for (const Made& made : make(Device::cpu, 2, 0)) {
    CHECK(made.problem.empty());
    CHECK(made.passes == PassesOn::cpu);
  }
}

namespace {

/// As trainer's and finetuner's: its model is made on the device that all ranks agree on.
class ModelOnDevice final : public TrainingTask {
 public:
  ModelOnDevice(RankGroup& ranks, Made& made) : ranks_(ranks), made_(made) {
    layout_.begin_block();
    layout_.add("w", {32}, ParameterKind::matrix);
    layout_.begin_block();
  }
  Expected<void> prepare(const Say& say) override {
    NATSCOPE_TRY(const Model model, make_on(Device::cuda, ranks_, say, [&](PassesOn passes) -> Expected<Model> {
                   return Model{passes, {&made_.joined}};
                 }));
    made_.passes = model.passes;
    return {};
  }
  [[nodiscard]] RunInputs inputs() const override { return {{"text", text}}; }
  [[nodiscard]] const ParameterLayout& layout() const override { return layout_; }
  [[nodiscard]] std::vector<float> initial_weights() const override { return std::vector<float>(32); }
  void set_weights(std::span<const float>) override {}
  [[nodiscard]] std::int64_t steps() const override { return 0; }
  [[nodiscard]] std::int64_t tokens_until(std::int64_t) const override { return 0; }
  [[nodiscard]] int kv_heads() const override { return 1; }
  Expected<StepReport> add_gradient(std::int64_t, std::span<float>) override { return StepReport{}; }
  [[nodiscard]] OptimizerOptions optimizer(std::int64_t) const override { return {}; }
  [[nodiscard]] bool has_held_out() const override { return false; }
  Expected<Evaluation> evaluate(bool) override { return Evaluation{}; }
  Expected<void> write_model(std::span<const float>) const override { return {}; }
  [[nodiscard]] std::filesystem::path out() const override { return "out"; }

  std::string text = "the same";

 private:
  RankGroup& ranks_;
  Made& made_;
  ParameterLayout layout_;
};

}  // namespace

TEST_CASE("a whole run of several ranks computes on their GPUs: every call of one meets the same call of the others") {
  const test::TemporaryFolder folder;
  std::vector<Made> all(3);
  test::on_ranks(3, [&](RankGroup& ranks) {
    Made& made = all[static_cast<std::size_t>(ranks.rank())];
    ModelOnDevice task(ranks, made);
    auto job = ranks.leads() ? jobs::JobFolder::create(folder / "job")
                             : Expected<jobs::JobFolder>(jobs::JobFolder::beside(folder / "job"));
    const auto result = run_job(task, *job, {}, 0, {}, {}, ranks);
    if (!result) made.problem = result.error().message;
  });
  for (const Made& made : all) {
    CHECK(made.problem.empty());
    CHECK(made.passes == PassesOn::gpu);
    CHECK(made.joined);
  }
}
