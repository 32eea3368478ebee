// SPDX-License-Identifier: GPL-3.0-or-later
// The loop alone, around a task whose losses are told beforehand.
#include "core/train/training_loop.h"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/jobs/job_progress.h"
#include "core/jobs/job_status.h"
#include "core/train/run_folders.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::train;
using natscope::test::TemporaryFolder;

namespace {

/// One weight, whose steps have these losses; behind them somebody presses Ctrl+C.
class ToldTask final : public TrainingTask {
 public:
  ToldTask(std::vector<double> losses, std::filesystem::path out) : losses_(std::move(losses)), out_(std::move(out)) {
    layout_.parameters.push_back({"w", {1}, 0, 1, ParameterKind::matrix});
    layout_.size = 1;
  }

  Expected<void> prepare(const Say&) override {
    if (fails_to_prepare) return fail(ErrorCode::bad_data, "nothing to read");
    return {};
  }
  [[nodiscard]] RunInputs inputs() const override { return reads; }
  [[nodiscard]] const ParameterLayout& layout() const override { return layout_; }
  [[nodiscard]] std::vector<float> initial_weights() const override { return {1.0F}; }
  void set_weights(std::span<const float>) override {}
  [[nodiscard]] std::int64_t steps() const override { return last_step; }
  [[nodiscard]] std::int64_t tokens_until(std::int64_t step) const override { return step; }
  [[nodiscard]] int kv_heads() const override { return 1; }
  Expected<StepReport> add_gradient(std::int64_t number, std::span<float> gradient) override {
    if (number > static_cast<std::int64_t>(losses_.size())) return fail(ErrorCode::interrupted, "Ctrl+C");
    StepReport report;
    if (number == explodes_at) gradient[0] = std::numeric_limits<float>::infinity();
    report.loss = losses_[static_cast<std::size_t>(number - 1)];
    report.tokens = 1;
    return report;
  }
  [[nodiscard]] OptimizerOptions optimizer(std::int64_t number) const override {
    OptimizerOptions options;
    if (number == overflows_at) options.learning_rate = options.weight_decay = 1e30;
    return options;
  }
  void trains_scores() { layout_.parameters[0].kind = ParameterKind::score; }
  [[nodiscard]] bool has_held_out() const override { return evaluations_left > 0; }
  Expected<Evaluation> evaluate(bool last) override {
    if (--evaluations_left == 0) return fail(ErrorCode::interrupted, "Ctrl+C");
    Evaluation evaluation;
    evaluation.nll = last ? 2.0 : 1.0;
    return evaluation;
  }
  Expected<void> write_model(std::span<const float>) const override { return {}; }
  [[nodiscard]] std::filesystem::path out() const override { return out_; }

  bool fails_to_prepare = false;
  std::int64_t last_step = 1000;
  int evaluations_left = 0;       // the last of them is interrupted; 0: nothing is held out
  std::int64_t explodes_at = 0;   // step whose gradient is no number
  std::int64_t overflows_at = 0;  // step that is too large for any weight
  RunInputs reads;

 private:
  std::vector<double> losses_;
  std::filesystem::path out_;
  ParameterLayout layout_;
};

Expected<TrainResult> result_of(const std::filesystem::path& folder, ToldTask& task,
                                const TrainListener& listener = {}) {
  auto job = jobs::JobFolder::create(folder);
  REQUIRE(job.has_value());
  REQUIRE(job->write_spec({{"kind", "train"}}).has_value());
  LoopOptions options;
  options.checkpoint_every = 4;
  options.evaluate_every = 4;
  const auto alone = single_rank();
  return run_job(task, *job, options, 0, listener, {}, *alone);
}

/// The error that a run ends with.
Error run(const std::filesystem::path& folder, ToldTask& task) {
  const auto result = result_of(folder, task);
  REQUIRE(!result.has_value());
  return result.error();
}

Error run(const std::filesystem::path& folder, std::vector<double> losses, bool fails_to_prepare = false) {
  ToldTask task(std::move(losses), folder / "model");
  task.fails_to_prepare = fails_to_prepare;
  return run(folder, task);
}

}  // namespace

TEST_CASE("a loss that explodes right after a resume is an explosion, as without one") {
  std::vector<double> losses(12, 2.0);
  for (const bool resumed : {false, true}) {
    CAPTURE(resumed);
    const TemporaryFolder folder;
    if (resumed) CHECK(run(folder / "job", losses).code == ErrorCode::interrupted);
    std::vector<double> exploding = losses;
    exploding.push_back(2.1e3);
    const Error error = run(folder / "job", exploding);
    CHECK(error.code == ErrorCode::bad_job);
    CHECK(error.message.find("step 13") != std::string::npos);
  }
}

TEST_CASE("after documents that lose nothing, an ordinary loss is no explosion") {
  const TemporaryFolder folder;
  std::vector<double> losses(12, 0.0);
  losses.push_back(9e-4);
  CHECK(run(folder / "job", losses).code == ErrorCode::interrupted);
  losses.push_back(1e9);
  CHECK(run(folder / "job", losses).code == ErrorCode::bad_job);
}

TEST_CASE("a run goes on from the newest checkpoint that is whole, and not at all where none is") {
  const TemporaryFolder folder;
  const std::vector<double> losses(9, 2.0);
  CHECK(run(folder / "job", losses).code == ErrorCode::interrupted);  // with checkpoints of the steps 8 and 9
  const auto damage = [&](const char* checkpoint) {
    const auto weights = folder / "job/checkpoints" / checkpoint / "weights.safetensors";
    REQUIRE(std::filesystem::exists(weights));
    test::write_bytes(weights, "lost");
  };
  std::vector<std::string> said;
  const auto resumed = [&] {
    ToldTask task({losses.begin(), losses.begin() + 8}, folder / "job/model");
    TrainListener listener;
    listener.message = [&said](const std::string& text) { said.push_back(text); };
    return result_of(folder / "job", task, listener);
  };
  damage("step-000009");
  CHECK(resumed().error().code == ErrorCode::interrupted);
  REQUIRE(said.size() >= 2);
  CHECK(said[0] == "the checkpoint of step 9 is damaged and passed over");
  CHECK(said[1] == "resuming after step 8");
  damage("step-000008");
  const auto lost = resumed();
  REQUIRE_FALSE(lost.has_value());
  CHECK(lost.error().code == ErrorCode::bad_checkpoint);
  CHECK(std::filesystem::exists(folder / "job/checkpoints/step-000008"));
  // How far it was is still known, and what is left of it is not another run's to begin in.
  CHECK(jobs::read_job_status(folder / "job")->step == 8);
  CHECK_FALSE(check_job_folder({folder / "job", {}, false, {}}).has_value());
}

TEST_CASE("a run that cannot be prepared when it goes on says the step that it had reached") {
  const TemporaryFolder folder;
  CHECK(run(folder / "job", std::vector<double>(5, 2.0)).code == ErrorCode::interrupted);
  CHECK(run(folder / "job", {}, true).code == ErrorCode::bad_data);
  const auto status = jobs::read_job_status(folder / "job");
  REQUIRE(status);
  CHECK(status->state == jobs::JobState::failed);
  CHECK(status->step == 5);
  CHECK_FALSE(check_job_folder({folder / "job", {}, false, {}}).has_value());
}

TEST_CASE("a run that was stopped in an evaluation makes up for it when it goes on") {
  const std::vector<double> losses{5, 5, 5, 5, 4, 4, 4, 3};
  const auto evaluated = [](const std::filesystem::path& job) {
    std::vector<std::pair<std::int64_t, double>> steps;
    jobs::ProgressFollower progress(job);
    const auto news = progress.poll();
    for (const jobs::JobPoint& point : news->points) {
      if (const auto* const of = std::get_if<jobs::EvaluationPoint>(&point)) steps.emplace_back(of->step, of->nll);
    }
    return steps;
  };
  const std::vector<std::pair<std::int64_t, double>> all{{4, 1.0}, {8, 2.0}};
  for (const int until : {1, 2}) {  // in the evaluation of step 4, in the last one
    CAPTURE(until);
    const TemporaryFolder folder;
    ToldTask stopped(losses, folder / "job/model");
    stopped.last_step = 8;
    stopped.evaluations_left = until;
    CHECK(run(folder / "job", stopped).code == ErrorCode::interrupted);
    ToldTask again(losses, folder / "job/model");
    again.last_step = 8;
    again.evaluations_left = 100;
    const auto result = result_of(folder / "job", again);
    REQUIRE(result.has_value());
    REQUIRE(result->evaluation.has_value());
    CHECK(result->evaluation->step == 8);
    CHECK(result->loss == 3.0);
    CHECK(evaluated(folder / "job") == all);
    // Once more changes nothing: what is there is not done again.
    REQUIRE(result_of(folder / "job", again).has_value());
    CHECK(evaluated(folder / "job") == all);
  }
}

TEST_CASE("weights that are no numbers, or made by a gradient that is none, are in no checkpoint") {
  for (const bool of_scores : {false, true}) {
    for (const bool overflows : {false, true}) {
      CAPTURE(of_scores);
      CAPTURE(overflows);
      const TemporaryFolder folder;
      ToldTask task(std::vector<double>(12, 2.0), folder / "job/model");
      if (of_scores) task.trains_scores();                     // no part of the norm that is reported and clipped
      (overflows ? task.overflows_at : task.explodes_at) = 8;  // a step with a checkpoint behind it
      const Error error = run(folder / "job", task);
      CHECK(error.code == ErrorCode::bad_job);
      CHECK(error.message.find("step 8") != std::string::npos);
      CHECK((*newest_valid_checkpoint(folder / "job/checkpoints"))->filename() == "step-000004");
    }
  }
}

TEST_CASE("a run goes on with what it began with, and with nothing else") {
  const TemporaryFolder folder;
  const std::vector<double> losses(5, 2.0);
  const auto resumed = [&](RunInputs reads) {
    ToldTask task(losses, folder / "job/model");
    task.reads = std::move(reads);
    return run(folder / "job", task);
  };
  const RunInputs begun{{"training text", "a"}, {"base model", "b"}};
  CHECK(resumed(begun).code == ErrorCode::interrupted);
  CHECK(resumed(begun).code == ErrorCode::interrupted);
  const Error other = resumed({{"training text", "c"}, {"base model", "b"}});
  CHECK(other.code == ErrorCode::bad_data);
  CHECK(other.message == "the training text is another than the one that this run began with");
  CHECK(resumed(begun).code == ErrorCode::interrupted);  // which lost nothing
  // A checkpoint of before says nothing of them; those that are not read any more are not missed.
  CHECK(resumed({{"training text", "a"}, {"held-out text", "d"}}).code == ErrorCode::interrupted);
}

TEST_CASE("the mean is that of the steps that count: lines behind the checkpoint are forgotten") {
  const TemporaryFolder folder;
  // Steps 13 to 15 were dear, and are run again, cheaper.
  std::vector<double> losses(12, 2.0);
  losses.insert(losses.end(), 3, 1.5e3);
  CHECK(run(folder / "job", losses).code == ErrorCode::interrupted);
  std::filesystem::remove_all(folder / "job/checkpoints/step-000015");
  std::vector<double> again(12, 2.0);
  again.push_back(2.1e3);
  CHECK(run(folder / "job", again).message.find("step 13") != std::string::npos);
}

TEST_CASE("a run begins where nothing is, and writes its model over nothing") {
  const TemporaryFolder folder;
  const auto refusal = [](const Expected<void>& checked) {
    return checked ? std::string() : std::string(name(checked.error().code)) + ": " + checked.error().message;
  };
  const std::filesystem::path model = folder / "model";
  const RunFolders in_place{model, model, false, ""};
  const RunFolders beside{folder / "new", model, false, ""};
  CHECK(check_job_folder({folder / "new", {}, false, {}}));
  std::filesystem::create_directories(model / "checkpoints");  // as a start leaves it that did not get far
  test::write_bytes(model / "log.txt", "what a shell was told to write");
  for (const char* const file : {"model.safetensors", "important.txt", "tokenizer.model", "status.json", "train.tokens",
                                 "checkpoints/step-000500", "checkpoints/mine"}) {
    CHECK(check_job_folder(in_place));
    CHECK(check_model_folder(beside));
    CHECK(check_export_folder(model));
    test::write_bytes(model / file, "x");
    CHECK(refusal(check_job_folder(in_place)).find(file) != std::string::npos);
    CHECK(refusal(check_model_folder(beside)).find(file) != std::string::npos);
    CHECK(refusal(check_export_folder(model)).find(file) != std::string::npos);
    std::filesystem::remove(model / file);
  }
  // A run that goes on may have written its model before. One that begins has not, whatever a kill left in its folder.
  test::write_bytes(model / "config.json", "{}");
  CHECK(run(folder / "job", {2.0, 2.0}).code == ErrorCode::interrupted);
  CHECK(check_model_folder({folder / "job", model, true, {}}));
  CHECK(check_job_folder({folder / "job", {}, true, {}}));
  for (const char* const left : {".unfinished-step-000001-77", "step-000001"}) {
    const auto killed = folder / "killed";
    std::filesystem::create_directories(killed / "checkpoints" / left);
    CHECK(refusal(check_model_folder({killed, model, false, {}})).find("config.json") != std::string::npos);
    CHECK(refusal(check_model_folder({killed, model, true, {}})).find("config.json") != std::string::npos);
  }
}

TEST_CASE("a run whose model is kept before its first step can go on") {
  const TemporaryFolder folder;
  {
    auto job = jobs::JobFolder::create(folder / "job");
    REQUIRE(job.has_value());
    REQUIRE(job->write_spec({{"kind", "train"}}).has_value());
    REQUIRE(jobs::request_stop(folder / "job", jobs::StopMode::keep_model).has_value());
    ToldTask task({2.0}, folder / "model");
    const auto alone = single_rank();
    CHECK(run_job(task, *job, {}, 0, {}, {}, *alone).error().code == ErrorCode::interrupted);
  }
  std::filesystem::create_directory(folder / "model");
  test::write_bytes(folder / "model/config.json", "{}");  // as the task would have
  CHECK(check_model_folder({folder / "job", folder / "model", true, {}}));
  CHECK(run(folder / "job", {2.0}).message.find("after step 1") != std::string::npos);
}

TEST_CASE("a vocabulary lies where a run begins: used where it is named, else refused and left alone") {
  const TemporaryFolder folder;
  const std::filesystem::path vocabulary = folder / "job/tokenizer.model";
  std::filesystem::create_directories(folder / "job");
  test::write_bytes(vocabulary, "a vocabulary to begin with");
  const auto at = [&](std::optional<std::filesystem::path> chosen) {
    return RunFolders{folder / "job", folder / "job", false, std::move(chosen)};
  };
  CHECK(check_job_folder(at(vocabulary)));
  CHECK(check_model_folder({folder / "new", folder / "job", false, vocabulary}));
  const auto refused = check_job_folder(at(""));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::usage);
  CHECK(refused.error().hint.starts_with("--tokenizer " + vocabulary.string() + " uses it"));
  CHECK_FALSE(check_job_folder(at(folder / "other.model")));
  CHECK_FALSE(check_job_folder(at({})));  // a run that chooses none

  // So it is where a run failed that used it; what a run made itself may go with it.
  CHECK(run(folder / "job", {}, true).code == ErrorCode::bad_data);
  const auto asked_for = [&](const std::string& tokenizer) {
    test::write_bytes(folder / "job/spec.json", nlohmann::json{{"kind", "train"}, {"tokenizer", tokenizer}}.dump());
  };
  asked_for(vocabulary.string());
  CHECK_FALSE(check_job_folder(at("")));
  CHECK(check_job_folder(at(vocabulary)));
  asked_for("");
  CHECK(check_job_folder(at("")));
}

TEST_CASE("a run that failed before its first step leaves its folder to the next") {
  const TemporaryFolder folder;
  CHECK(run(folder / "job", {}, true).code == ErrorCode::bad_data);
  CHECK(check_job_folder({folder / "job", {}, false, {}}).has_value());
  CHECK(run(folder / "job", {2.0, 2.0}).code == ErrorCode::interrupted);
  const auto held = check_job_folder({folder / "job", {}, false, {}});
  REQUIRE(!held.has_value());
  CHECK(held.error().code == ErrorCode::usage);
}

TEST_CASE("a run that was interrupted before its first checkpoint leaves its folder to the next") {
  const TemporaryFolder folder;
  ToldTask task({}, folder / "job/model");  // interrupted in step 1
  const Error stopped = run(folder / "job", task);
  CHECK(stopped.code == ErrorCode::interrupted);
  CHECK(stopped.hint.find("--resume") == std::string::npos);
  CHECK(jobs::read_job_status(folder / "job")->state == jobs::JobState::interrupted);
  CHECK(check_job_folder({folder / "job", {}, false, {}}).has_value());
  CHECK(check_job_folder({folder / "job", {}, true, {}}).has_value());
  // A damaged checkpoint may still be of use to somebody, and so may options that wait for their start.
  std::filesystem::create_directories(folder / "job/checkpoints/step-000004");
  CHECK_FALSE(check_job_folder({folder / "job", {}, false, {}}).has_value());
  std::filesystem::remove_all(folder / "job/checkpoints");
  std::filesystem::remove(folder / "job/status.json");
  CHECK_FALSE(check_job_folder({folder / "job", {}, false, {}}).has_value());
}
