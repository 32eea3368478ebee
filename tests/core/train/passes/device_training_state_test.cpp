// SPDX-License-Identifier: GPL-3.0-or-later
// The optimizer that runs where the passes are, on a GPU or in ordinary memory: against the host's, and over a stop and a resume.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/train/passes/device_training_state.h"
#include "core/train/passes/training_model.h"
#include "core/train/training_loop.h"
#include "core/train/weights/parameters.h"
#include "tests/core/train/device_passes.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
namespace fs = std::filesystem;
using namespace natscope::train;
using natscope::test::TemporaryFolder;

namespace {

ModelConfig small_config() {
  TrainOptions options;
  options.data = "text";
  options.layers = 2;
  options.hidden = 32;
  options.heads = 4;
  options.kv_heads = 2;
  options.context = 24;
  options.window = 3;
  options.vocab = 300;
  return model_config(*resolve(options));
}

TrainingModel small_model(PassesOn passes) {
  auto model =
      TrainingModel::create(small_config(), kernels::ElementType::f32, 2, 1, kernels::Backend::cpu, {}, passes);
  REQUIRE(model.has_value());
  return std::move(*model);
}

/// Training on the same few tokens again and again.
class SmallTask final : public TrainingTask {
 public:
  SmallTask(PassesOn passes, fs::path out, std::int64_t stop_after = 0)
      : model_(small_model(passes)), out_(std::move(out)), stop_after_(stop_after) {
    std::mt19937 random(4);
    for (int i = 0; i < 48; ++i) {
      tokens_.push_back(static_cast<std::int32_t>(random() % 300));
      targets_.push_back(static_cast<std::int32_t>(random() % 300));
    }
  }

  Expected<void> prepare(const Say&) override { return {}; }
  [[nodiscard]] const ParameterLayout& layout() const override { return model_.layout(); }
  [[nodiscard]] std::vector<float> initial_weights() const override {
    return initial_parameters(small_config(), model_.layout(), 11);
  }
  void set_weights(std::span<const float> weights) override { model_.set_weights(weights); }
  [[nodiscard]] DeviceTrainingState* device_state() override { return model_.device_state(); }
  [[nodiscard]] std::int64_t steps() const override { return 20; }
  [[nodiscard]] std::int64_t tokens_until(std::int64_t step) const override { return 48 * step; }
  [[nodiscard]] int kv_heads() const override { return 2; }
  Expected<StepReport> add_gradient(std::int64_t number, std::span<float> gradient) override {
    if (stop_after_ > 0 && number > stop_after_) return fail(ErrorCode::interrupted, "Ctrl+C");
    StepContext context;
    context.step = number;
    context.loss_scale = 1.0 / 48;
    context.applied_sparsity = 1e-3;
    NATSCOPE_TRY(const PassResult pass, model_.forward_backward({tokens_, targets_}, context, gradient, {}));
    StepReport report;
    report.loss = pass.nll / 48;
    report.tokens = 48;
    losses.push_back(report.loss);
    if (after_gradient) after_gradient(number);
    return report;
  }
  /// Clipped in some steps and not in others.
  [[nodiscard]] OptimizerOptions optimizer(std::int64_t number) const override {
    return {3e-3, 0.9, 0.95, 0.1, number % 2 == 0 ? 0.5 : 1e3};
  }
  [[nodiscard]] bool has_held_out() const override { return false; }
  Expected<Evaluation> evaluate(bool) override { return Evaluation{}; }
  Expected<void> write_model(std::span<const float> weights) const override {
    written.assign(weights.begin(), weights.end());
    return {};
  }
  [[nodiscard]] fs::path out() const override { return out_; }

  std::function<void(std::int64_t number)> after_gradient;
  std::vector<double> losses;
  mutable std::vector<float> written;

 private:
  TrainingModel model_;
  fs::path out_;
  std::int64_t stop_after_;
  std::vector<std::int32_t> tokens_, targets_;
};

Expected<TrainResult> run(SmallTask& task, const fs::path& folder) {
  auto job = jobs::JobFolder::create(folder);
  REQUIRE(job.has_value());
  REQUIRE(job->write_spec(nlohmann::json{{"kind", "train"}}).has_value());
  LoopOptions options;
  options.checkpoint_every = 4;
  const auto alone = single_rank();
  return run_job(task, *job, options, 0, {}, {}, *alone);
}

/// How far `one` is from `other`, as a share of `other`'s size.
double distance(std::span<const float> one, std::span<const float> other) {
  REQUIRE(one.size() == other.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    difference += std::pow(static_cast<double>(one[i] - other[i]), 2);
    size += std::pow(static_cast<double>(other[i]), 2);
  }
  return std::sqrt(difference / size);
}

/// How far weights and moments may be apart after the same steps.
constexpr double state_tolerance = test::f32_tolerance(1e-4);

/// Losses of the same steps, which differ by rounding alone: a weight's of 6e-8 a step, and Adam divides by gradients
/// that may be small.
void check_same_losses(std::span<const double> some, std::span<const double> all) {
  REQUIRE(some.size() <= all.size());
  REQUIRE(!some.empty());
  for (std::size_t i = 0; i < some.size(); ++i)
    CHECK(some[i] == doctest::Approx(all[all.size() - some.size() + i]).epsilon(test::f32_tolerance(1e-5)));
}

/// Names and sizes of a checkpoint's files.
std::map<std::string, std::uintmax_t> files_of(const fs::path& checkpoint) {
  std::map<std::string, std::uintmax_t> files;
  for (const auto& entry : fs::directory_iterator(checkpoint)) files[entry.path().filename()] = entry.file_size();
  return files;
}

TrainingState random_state(std::int64_t size) {
  TrainingState state;
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  const auto count = static_cast<std::size_t>(size);
  for (std::size_t i = 0; i < count; ++i) state.weights.push_back(normal(random));
  state.first_moment.assign(count, 0.0F);
  state.second_moment.assign(count, 0.0F);
  return state;
}

}  // namespace

TEST_CASE("passes on the CPU leave weights and moments to the host; passes on a device keep them") {
  CHECK(small_model(PassesOn::cpu).device_state() == nullptr);
  TrainingModel model = small_model(test::device_passes);
  DeviceTrainingState* const state = model.device_state();
  REQUIRE(state != nullptr);
  TrainingState given = random_state(model.layout().size), down = given;
  std::copy(given.weights.rbegin(), given.weights.rend(), given.first_moment.begin());
  std::copy(given.weights.begin(), given.weights.end(), given.second_moment.begin());
  REQUIRE(state->set(given).has_value());
  REQUIRE(state->bring_down(down).has_value());
  CHECK(down.weights == given.weights);
  CHECK(down.first_moment == given.first_moment);
  CHECK(down.second_moment == given.second_moment);
}

TEST_CASE("a run with its optimizer beside the passes has the losses of one with the host's") {
  const TemporaryFolder folder;
  SmallTask host(PassesOn::cpu, folder / "out"), device(test::device_passes, folder / "out");
  REQUIRE(run(host, folder / "host").has_value());
  REQUIRE(run(device, folder / "device").has_value());
  REQUIRE(host.losses.size() == 20);
  REQUIRE(device.losses.size() == 20);
  CHECK(host.losses.back() < 0.9 * host.losses.front());
  check_same_losses(device.losses, host.losses);
  CHECK(distance(device.written, host.written) < state_tolerance);
  // What lies between the tensors stays zero.
  std::vector<float> between = device.written;
  for (const Parameter& p : device.layout().parameters) std::fill_n(between.begin() + p.offset, p.elements, 0.0F);
  CHECK(std::all_of(between.begin(), between.end(), [](float x) { return x == 0.0F; }));
}

TEST_CASE("stopped and resumed, it has the same losses and weights to the last bit") {
  const TemporaryFolder folder;
  SmallTask whole(test::device_passes, folder / "out");
  REQUIRE(run(whole, folder / "whole").has_value());
  SmallTask begun(test::device_passes, folder / "out", 9);
  CHECK(run(begun, folder / "cut").error().code == ErrorCode::interrupted);
  SmallTask rest(test::device_passes, folder / "out");
  REQUIRE(run(rest, folder / "cut").has_value());
  REQUIRE(rest.losses.size() >= 11);
  REQUIRE(rest.losses.size() < 20);
  for (std::size_t i = 0; i < rest.losses.size(); ++i)
    CHECK(rest.losses[i] == whole.losses[20 - rest.losses.size() + i]);
  CHECK(rest.written == whole.written);
}

TEST_CASE("a checkpoint of either kind is the other's, and either goes on with it") {
  const TemporaryFolder folder;
  SmallTask whole(PassesOn::cpu, folder / "out");
  REQUIRE(run(whole, folder / "whole").has_value());
  const auto end = *newest_valid_checkpoint(folder / "whole" / "checkpoints");
  REQUIRE(end.has_value());
  const auto end_state = read_checkpoint(*end, whole.layout());
  REQUIRE(end_state.has_value());
  for (const auto& [first, second] :
       {std::pair(PassesOn::cpu, test::device_passes), std::pair(test::device_passes, PassesOn::cpu)}) {
    const fs::path job = folder / (first == PassesOn::cpu ? "begun on the host" : "begun on the device");
    CAPTURE(job.filename().string());
    SmallTask begun(first, folder / "out", 9);
    CHECK(run(begun, job).error().code == ErrorCode::interrupted);
    SmallTask rest(second, folder / "out");
    REQUIRE(run(rest, job).has_value());
    CHECK(rest.losses.size() < 20);
    check_same_losses(rest.losses, whole.losses);
    const auto checkpoint = *newest_valid_checkpoint(job / "checkpoints");
    REQUIRE(checkpoint.has_value());
    CHECK(checkpoint->filename() == end->filename());
    CHECK(files_of(*checkpoint) == files_of(*end));
    const auto state = read_checkpoint(*checkpoint, whole.layout());
    REQUIRE(state.has_value());
    CHECK(state->step == 20);
    CHECK(state->weights == rest.written);
    CHECK(distance(state->weights, end_state->weights) < state_tolerance);
    CHECK(distance(state->first_moment, end_state->first_moment) < state_tolerance);
    CHECK(distance(state->second_moment, end_state->second_moment) < state_tolerance);
  }
}

TEST_CASE("what is not saved comes down when somebody asks the run to stop") {
  const TemporaryFolder folder;
  SmallTask whole(test::device_passes, folder / "out");
  REQUIRE(run(whole, folder / "whole").has_value());
  SmallTask stopped(test::device_passes, folder / "out");
  stopped.after_gradient = [&](std::int64_t number) {
    if (number == 6) CHECK(jobs::request_stop(folder / "stopped", jobs::StopMode::keep_model).has_value());
  };
  CHECK(run(stopped, folder / "stopped").error().code == ErrorCode::interrupted);
  CHECK(stopped.losses.size() == 6);
  const auto checkpoint = *newest_valid_checkpoint(folder / "stopped" / "checkpoints");
  REQUIRE(checkpoint.has_value());
  const auto state = read_checkpoint(*checkpoint, stopped.layout());
  REQUIRE(state.has_value());
  CHECK(state->step == 6);
  CHECK(state->weights == stopped.written);
  SmallTask rest(test::device_passes, folder / "out");
  REQUIRE(run(rest, folder / "stopped").has_value());
  CHECK(std::equal(rest.losses.begin(), rest.losses.end(), whole.losses.begin() + 6, whole.losses.end()));
}

TEST_CASE("one step is the host's: decay on matrices and scores, the clip's norm without the scores") {
  TrainingModel host = small_model(PassesOn::cpu), device = small_model(test::device_passes);
  const ParameterLayout& layout = host.layout();
  std::vector<std::int32_t> tokens(48), targets(48);
  for (std::size_t i = 0; i < 48; ++i) targets[i] = tokens[i] = static_cast<std::int32_t>(7 * i % 300);
  for (const double clip : {0.01, 1e6}) {
    CAPTURE(clip);
    TrainingState state = random_state(layout.size), moved = state;
    for (float& weight : state.weights) weight *= 0.1F;
    moved.weights = state.weights;
    const OptimizerOptions options{1e-2, 0.8, 0.9, 0.3, clip};
    REQUIRE(device.device_state()->set(state).has_value());
    StepContext context;
    context.loss_scale = 1.0;
    context.applied_sparsity = 5.0;
    OptimizerReport expected, got;
    for (std::int64_t number = 1; number <= 3; ++number) {
      context.step = number;
      host.set_weights(state.weights);
      std::vector<float> gradient(state.weights.size(), 0.0F);
      REQUIRE(host.forward_backward({tokens, targets}, context, gradient, {}).has_value());
      expected = optimizer_step(options, number, layout, gradient, state);
      REQUIRE(device.device_state()->clear_gradient().has_value());
      REQUIRE(device.forward_backward({tokens, targets}, context, {}, {}).has_value());
      auto report = device.device_state()->step(options, number);
      REQUIRE(report.has_value());
      got = *report;
      CHECK(got.gradient_norm == doctest::Approx(expected.gradient_norm).epsilon(state_tolerance));
      CHECK(got.learning_rate == expected.learning_rate);
    }
    REQUIRE(device.device_state()->bring_down(moved).has_value());
    for (const Parameter& p : layout.parameters) {
      CAPTURE(p.name);
      const auto part = [&p](const std::vector<float>& all) {
        return std::span(all).subspan(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(p.elements));
      };
      CHECK(distance(part(moved.weights), part(state.weights)) < state_tolerance);
      CHECK(distance(part(moved.first_moment), part(state.first_moment)) < state_tolerance);
      CHECK(distance(part(moved.second_moment), part(state.second_moment)) < state_tolerance);
    }
  }
}
