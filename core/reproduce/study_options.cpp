// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/study_options.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/json/json_limits.h"

namespace natscope::reproduce {
namespace {

// N = 4096 tokens a step throughout, where the trainer's scale of λ was found to land where the paper's does (the
// rules, section 7). A core without matrix instructions trains about 7 000 tokens/s of "overnight", 11 000 of "small".
constexpr auto sizes = std::to_array<StudySize>({
    {"micro", "seconds: to see that everything works, its numbers mean nothing", 2, 32, 2, 1, 320, 128, 4, 2, 2, 3e-3,
     6, 1024},
    {"small", "1 M parameters, 3 M tokens a run", 4, 128, 4, 2, 2048, 1024, 16, 4, 40, 2e-3, 730, 131'072},
    {"overnight", "2 M parameters, 7.4 M tokens a run", 4, 192, 6, 3, 2048, 1024, 16, 4, 100, 2e-3, 1800, 262'144},
});

Expected<void> check_count(const char* flag, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return {};
  return fail(ErrorCode::usage, std::string(flag) + " is out of range",
              "give a number from " + std::to_string(low) + " to " + std::to_string(high));
}

}  // namespace

const char* name(StudyTask task) { return task == StudyTask::books ? "books" : "distance"; }

std::span<const StudySize> study_sizes() { return sizes; }

const StudySize& size_of(const StudyOptions& options) {
  return *std::find_if(sizes.begin(), sizes.end(), [&](const StudySize& size) { return options.size == size.name; });
}

Expected<StudyOptions> resolve(StudyOptions options) {
  if (options.data.empty()) return fail(ErrorCode::usage, "no training text", "name a folder with --data");
  if (options.test.empty()) return fail(ErrorCode::usage, "no text to score on", "name a folder with --test");
  if (options.out.empty()) return fail(ErrorCode::usage, "no folder for the study", "name one with --out");
  const auto size =
      std::find_if(sizes.begin(), sizes.end(), [&](const StudySize& s) { return options.size == s.name; });
  if (size == sizes.end()) {
    std::string known;
    for (const StudySize& s : sizes) known += std::string(known.empty() ? "" : ", ") + s.name;
    return fail(ErrorCode::usage, "--size " + printable(options.size) + " does not exist", "one of " + known);
  }
  if (options.lambdas.empty()) return fail(ErrorCode::usage, "no --lambda", "give at least one");
  for (const double lambda : options.lambdas) {
    if (!(lambda >= 0 && lambda <= 1)) {
      return fail(ErrorCode::usage, "--lambdas is out of range", "give values from 0 to 1, such as 0,1e-9,5e-9");
    }
  }
  std::sort(options.lambdas.begin(), options.lambdas.end());
  options.lambdas.erase(std::unique(options.lambdas.begin(), options.lambdas.end()), options.lambdas.end());
  if (!(options.score_init >= 0 && options.score_init <= 100)) {
    return fail(ErrorCode::usage, "--score-init is out of range", "give a number from 0 to 100");
  }
  NATSCOPE_CHECK(check_count("--seeds", options.seeds, 1, 1000));
  NATSCOPE_CHECK(check_count("--steps", options.steps, 0, 1'000'000'000));
  NATSCOPE_CHECK(check_count("--test-tokens", options.test_tokens, 0, 1'000'000'000));
  NATSCOPE_CHECK(check_count("--threads", options.threads, 0, 1024));
  if (options.steps == 0) options.steps = size->steps;
  if (options.test_tokens == 0) options.test_tokens = size->test_tokens;
  return options;
}

Expected<StudyOptions> recall(StudyOptions options) {
  const std::filesystem::path file = options.out / "study.json";
  std::error_code problem;
  if (options.out.empty() || !std::filesystem::exists(file, problem)) return options;
  NATSCOPE_TRY(const nlohmann::json there, read_json_file(file));
  try {
    if (there.at("study") == "scratch") {
      options.data = there.at("data").get<std::string>();
      options.test = there.at("test").get<std::string>();
      options.size = there.at("size").at("name").get<std::string>();
      options.task = there.at("task") == name(StudyTask::distance) ? StudyTask::distance : StudyTask::books;
      options.steps = there.at("steps").get<std::int64_t>();
      options.test_tokens = there.at("test_tokens").get<std::int64_t>();
      options.score_init = there.value("score_init", train::default_score_init);
      return options;
    }
  } catch (const nlohmann::json::exception&) {
  }
  return fail(ErrorCode::bad_job, printable(file.string()) + " names no study from scratch",
              "give another --out, or the command that this folder is of");
}

train::TrainOptions training_of(const StudyOptions& options) {
  const StudySize& size = size_of(options);
  train::TrainOptions o;
  o.layers = size.layers;
  o.hidden = size.hidden;
  o.heads = size.heads;
  o.kv_heads = size.kv_heads;
  o.vocab = size.vocab;
  o.context = size.context;
  o.window = size.window;
  o.batch = size.batch;
  o.warmup_steps = static_cast<int>(std::min<std::int64_t>(size.warmup_steps, options.steps / 2));
  o.learning_rate = size.learning_rate;
  o.steps = options.steps;
  o.score_init = options.score_init;
  o.threads = options.threads;
  // Products in f32: without matrix instructions bf16 is slower, and the numbers are to be the same on every machine.
  o.dtype = kernels::ElementType::f32;
  o.evaluate_every = 0;
  o.checkpoint_every = 100;
  return o;
}

nlohmann::json study_json(const StudyOptions& options) {
  const StudySize& size = size_of(options);
  nlohmann::json study = {{"study", "scratch"},
                          {"task", name(options.task)},
                          {"data", options.data.string()},
                          {"test", options.test.string()},
                          {"size",
                           {{"name", size.name},
                            {"layers", size.layers},
                            {"hidden", size.hidden},
                            {"heads", size.heads},
                            {"kv_heads", size.kv_heads},
                            {"vocab", size.vocab},
                            {"context", size.context},
                            {"window", size.window},
                            {"batch", size.batch},
                            {"learning_rate", size.learning_rate}}},
                          {"steps", options.steps},
                          {"tokens_per_training", options.steps * size.batch * size.context},
                          {"test_tokens", options.test_tokens}};
  // Studies from before it could be chosen do not name it.
  if (options.score_init != train::default_score_init) study["score_init"] = options.score_init;
  return study;
}

}  // namespace natscope::reproduce
