// SPDX-License-Identifier: GPL-3.0-or-later
// eval --budgets, --baselines and --figure.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/cache/policy_budget.h"
#include "tests/app/cli/cli_program.h"
#include "tests/support/tiny_model.h"

namespace natscope::test {
namespace {

/// Over 128 tokens.
std::string some_text() {
  std::string text = "Hills:";
  while (text.size() < 2000) text += " one of " + std::to_string(text.size()) + " feet, with a fox on it;";
  return text;
}

std::vector<std::string> policies_of(const nlohmann::json& results) {
  std::vector<std::string> policies;
  for (const auto& result : results) policies.push_back(result.at("policy"));
  return policies;
}

/// eval of two segments of 64 tokens.
std::vector<std::string> eval_of(const TemporaryFolder& folder, const std::vector<std::string>& more) {
  write_file(folder.file("text.txt"), some_text());
  std::vector<std::string> command{"eval", "--text", folder.file("text.txt"), "--segment", "64", "--tokens-max", "128"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

}  // namespace

TEST_CASE("baselines at a budget: measured as when they are named") {
  const TemporaryFolder folder;
  const auto results = cli_json(eval_of(folder, {"--policy", "full", "--budgets", "0.25,0.125"}));
  CHECK(policies_of(results) == std::vector<std::string>{"full", "window:16", "streaming:4,12", "h2o:8,8", "tova:16",
                                                         "window:8", "streaming:4,4", "h2o:4,4", "tova:8"});
  auto alone = cli_json(eval_of(folder, {"--policy", "h2o:8,8"}));
  for (const char* const beside : {"nll_difference", "nll_difference_standard_error"})
    alone[beside] = results[3][beside];
  CHECK(results[3] == alone);
  for (std::size_t i = 1; i < 4; ++i) CHECK(results[i]["kv_fraction"] == doctest::Approx(0.25));
}

TEST_CASE("same is as much as what drops something does, not full attention; mean as much on average") {
  const TemporaryFolder folder;
  const auto results = cli_json(eval_of(
      folder, {"--policy", "full", "--policy", "streaming:4,12", "--budgets", "same", "--baselines", "window"}));
  CHECK(policies_of(results) == std::vector<std::string>{"full", "streaming:4,12", "window:16"});
  const auto on_average = cli_json(
      eval_of(folder, {"--policy", "window:3", "--policy", "h2o:8,8", "--budgets", "mean", "--baselines", "h2o,tova"}));
  for (std::size_t i = 2; i < on_average.size(); ++i) {
    CHECK(on_average[i]["mean_kv_fraction"].get<double>() ==
          doctest::Approx(on_average[0]["mean_kv_fraction"].get<double>()).epsilon(0.15));
  }
}

TEST_CASE("baselines at the first policy's own budget, those that were chosen, each once") {
  const TemporaryFolder folder;
  // --window is the model's alone: a baseline has its own.
  const auto results =
      cli_json(eval_of(folder, {"--budgets", "same,same", "--baselines", "streaming", "--window", "3"}));
  const double held = results[0]["kv_fraction"];
  REQUIRE(held < 1);
  const std::string same = to_string(policy_at_budget(Policy::Kind::streaming, held, 64));
  CHECK(policies_of(results) == std::vector<std::string>{"model", same});
  // One that is named is not measured twice.
  const auto named =
      cli_json(eval_of(folder, {"--policy", "h2o:8,8", "--budgets", "0.25", "--baselines", "h2o,window"}));
  CHECK(policies_of(named) == std::vector<std::string>{"h2o:8,8", "window:16"});
}

TEST_CASE("a figure of the trade has its numbers in it") {
  const TemporaryFolder folder;
  const std::string figure = folder.file("trade.svg");
  const ProgramResult drawn = cli(eval_of(folder, {"--policy", "model", "--budgets", "0.25", "--figure", figure}));
  if (drawn.err.find("Qt") != std::string::npos) return;  // a build that draws nothing
  REQUIRE(drawn.exit_code == 0);
  const std::string svg = read_file(figure);
  for (const char* words : {"learned roles", "StreamingLLM", "sliding window", "H2O", "perplexity",
                            "trained with its learned roles", "model_sha256", "mean_kv_fraction"}) {
    CAPTURE(words);
    CHECK(svg.find(words) != std::string::npos);
  }
  // The same command draws the same file.
  REQUIRE(cli(eval_of(folder, {"--policy", "model", "--budgets", "0.25", "--figure", figure})).exit_code == 0);
  CHECK(read_file(figure) == svg);
}

TEST_CASE("series are called what one calls them") {
  const TemporaryFolder folder;
  const std::string figure = folder.file("trade.svg");
  const ProgramResult drawn = cli(eval_of(
      folder, {"--policy", "model", "--policy", "streaming:2,4", "--figure", figure, "--label", "model=Ours", "--label",
               "streaming=Sinks = 2", "--label", "tova=T", "--title", "A trade", "--font-size", "9"}));
  CAPTURE(drawn.err);
  REQUIRE(drawn.exit_code == 0);
  const std::string svg = read_file(figure);
  CHECK(svg.find(">Ours<") != std::string::npos);
  CHECK(svg.find(">Sinks = 2<") != std::string::npos);
  CHECK(svg.find(">A trade<") != std::string::npos);
  CHECK(svg.find(">StreamingLLM<") == std::string::npos);
  CHECK(drawn.err.find("tova=T") != std::string::npos);  // nothing of it was measured
  for (const char* label : {"nobody=A", "model", "model=", "=A", ""})
    CHECK(cli(eval_of(folder, {"--figure", figure, "--label", label})).exit_code == 2);
  for (const char* flag : {"--title", "--label"})
    CHECK(cli(eval_of(folder, {flag, "model=A"})).exit_code == 2);  // without a figure
}

TEST_CASE("budgets and figures that are none are refused before anything is read") {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::vector<std::string>& flags, const std::string& words) {
    std::vector<std::string> command{"eval", "--text", "/no/such/text", "--model", "/no/such/model"};
    command.insert(command.end(), flags.begin(), flags.end());
    const ProgramResult result = cli(command);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.err.find(words) != std::string::npos);
  };
  for (const char* budget : {"0", "-0.5", "1.01", "12%", "nan", "inf", "some"}) {
    CAPTURE(budget);
    refuses({std::string("--budgets=") + budget}, "--budgets");
  }
  refuses({"--baselines", "h2o"}, "--budgets");
  refuses({"--budgets", "same", "--baselines", "h3o"}, "window, streaming, h2o, tova, snapkv, pyramidkv or adakv");
  refuses({"--figure", folder.file("numbers.csv")}, "--figure");
  refuses({"--figure", folder.file("text.svg"), "--csv", folder.file("text.svg")}, "");
}

}  // namespace natscope::test
