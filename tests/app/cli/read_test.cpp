// SPDX-License-Identifier: GPL-3.0-or-later
// eval --read: a prompt before what is predicted; and SnapKV, which drops behind one.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/explore/run_figures.h"
#include "core/io/safetensors.h"
#include "core/session/trace_sequence.h"
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

/// eval of two segments of 64 tokens, in chunks that end where the prompts end.
std::vector<std::string> eval_of(const TemporaryFolder& folder, const std::vector<std::string>& more) {
  write_file(folder.file("text.txt"), some_text());
  std::vector<std::string> command{
      "eval", "--text", folder.file("text.txt"), "--segment", "64", "--tokens-max", "128", "--chunk", "16"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

struct Loss {
  int segment = 0;
  int position = 0;
  double nll = 0;
};

/// Of --per-token's lines: the text may hold anything but a line's end, and stands between quotes or without commas.
std::vector<Loss> losses_of(const std::string& path) {
  std::istringstream lines(read_file(path));
  std::string line;
  std::getline(lines, line);
  std::vector<Loss> losses;
  while (std::getline(lines, line)) {
    const std::size_t comma = line.find(',');
    losses.push_back({std::stoi(line), std::stoi(line.substr(comma + 1)), std::stod(line.substr(line.rfind(',') + 1))});
  }
  return losses;
}

}  // namespace

TEST_CASE("what stands behind a prompt has the losses that it has in an ordinary eval, and nothing else is counted") {
  const TemporaryFolder folder;
  for (const char* const policy : {"full", "model", "streaming:2,9", "h2o:6,5"}) {
    CAPTURE(policy);
    const auto whole = cli_json(eval_of(folder, {"--policy", policy, "--per-token", folder.file("whole.csv")}));
    const auto behind =
        cli_json(eval_of(folder, {"--policy", policy, "--read", "32", "--per-token", folder.file("behind.csv")}));
    CHECK_FALSE(whole.contains("read"));
    CHECK(behind["read"] == 32);
    CHECK(behind["tokens"] == 64);
    CHECK(behind["segments"] == 2);
    std::vector<Loss> expected = losses_of(folder.file("whole.csv"));
    std::erase_if(expected, [](const Loss& loss) { return loss.position < 32; });
    const std::vector<Loss> found = losses_of(folder.file("behind.csv"));
    REQUIRE(found.size() == 64);
    REQUIRE(expected.size() == 64);
    double sums[2] = {};
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].segment == expected[i].segment);
      CHECK(found[i].position == expected[i].position);
      CHECK(found[i].nll == doctest::Approx(expected[i].nll).epsilon(1e-6));
      sums[expected[i].segment] += expected[i].nll;
    }
    CHECK(behind["nll"].get<double>() == doctest::Approx((sums[0] + sums[1]) / 64).epsilon(1e-6));
    // Of the mean of two segments of equal size: half their difference.
    CHECK(behind["nll_standard_error"].get<double>() ==
          doctest::Approx(std::abs(sums[0] - sums[1]) / 64).epsilon(1e-4));
    // What is held is of whole segments, as ever.
    for (const char* const held : {"kv_fraction", "mean_kv_fraction", "paper_kv_fraction", "per_layer_kv_fraction"})
      CHECK(behind[held] == whole[held]);
  }
  // A prompt of one token is what every segment begins with.
  auto one = cli_json(eval_of(folder, {"--read", "1"}));
  const auto none = cli_json(eval_of(folder, {}));
  CHECK(one["tokens"] == none["tokens"]);
  CHECK(one["nll"].get<double>() == doctest::Approx(none["nll"].get<double>()).epsilon(1e-5));
}

TEST_CASE("SnapKV holds SIZE of what is read and all that follows; what it keeps of it matters") {
  const TemporaryFolder folder;
  const auto results = cli_json(eval_of(folder, {"--policy", "full", "--policy", "snapkv:16,8", "--policy",
                                                 "snapkv:32,8", "--read", "32", "--csv", folder.file("all.csv")}));
  CHECK(results[1]["tokens"] == 64);
  CHECK(results[1]["roles"].is_null());
  CHECK(results[1]["kv_fraction"].get<double>() == doctest::Approx((16.0 + 32) / 64));
  double held = 0;
  for (int n = 1; n <= 64; ++n) held += n < 32 ? n : n - 16;
  CHECK(results[1]["mean_kv_fraction"].get<double>() == doctest::Approx(held / (64 * 65 / 2)));
  CHECK(results[1]["nll"] != results[0]["nll"]);
  CHECK(results[1]["nll_difference_standard_error"].get<double>() > 0);
  // All of the prompt: full attention.
  CHECK(results[2]["nll"] == results[0]["nll"]);
  CHECK(results[2]["kv_fraction"] == 1);
  const std::string csv = read_file(folder.file("all.csv"));
  CHECK(csv.substr(0, csv.find('\n')).ends_with(",read"));
  CHECK(csv.ends_with(",32\n"));
  const ProgramResult table = cli(eval_of(folder, {"--policy", "snapkv:16,8", "--read", "32"}));
  CHECK(table.out.find("read before them  32 of each segment, as its prompt") != std::string::npos);
}

TEST_CASE("a budget of SnapKV is a share of what is read") {
  const TemporaryFolder folder;
  const auto policies = [](const nlohmann::json& results) {
    std::vector<std::string> names;
    for (const auto& result : results) names.push_back(result.at("policy"));
    return names;
  };
  CHECK(policies(cli_json(eval_of(folder, {"--policy", "full", "--budgets", "0.25", "--read", "32"}))) ==
        std::vector<std::string>{"full", "window:16", "streaming:4,12", "h2o:8,8", "tova:16", "snapkv:8,4",
                                 "pyramidkv:8,4", "adakv:8,4"});
  CHECK(policies(cli_json(eval_of(
            folder, {"--policy", "full", "--budgets", "0.5", "--read", "40", "--baselines", "snapkv,window"}))) ==
        std::vector<std::string>{"full", "window:32", "snapkv:20,10"});
}

TEST_CASE("without a prompt, or with nothing behind it, eval says what to write") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& more, int code, const char* name, const char* words) {
    const ProgramResult result = cli(eval_of(folder, more));
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK(result.err.find(std::string("error: ") + name) != std::string::npos);
    CHECK(result.err.find(words) != std::string::npos);
  };
  refused({"--policy", "full", "--policy", "snapkv:16,8"}, 2, "usage", "--read N");
  refused({"--budgets", "0.5", "--baselines", "snapkv"}, 2, "usage", "--read N");
  refused({"--budgets", "0.5", "--baselines", "window,adakv"}, 2, "usage", "--baselines adakv");
  refused({"--read", "64"}, 2, "usage", "--read 64 leaves no token of a segment of 64");
  refused({"--read", "0"}, 2, "usage", "--read");
  write_file(folder.file("short.txt"), "Hills, and a fox on one of them.");
  const ProgramResult result = cli({"eval", "--text", folder.file("short.txt"), "--read", "60"});
  INFO(result.err);
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("error: bad-text: --read 60 leaves no token to predict: a segment has ") != std::string::npos);
}

TEST_CASE("a trace under SnapKV: its prompt holds all until it is read, then SIZE, then more and more") {
  const TemporaryFolder folder;
  const std::string out = folder.file("run.safetensors");
  const ProgramResult result = cli({"trace", "--prompt", some_text().substr(0, 120), "--policy", "snapkv:12,5",
                                    "--max-new-tokens", "6", "--greedy", "--attention", "1.1", "--out", out});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const TraceFile trace = *TraceFile::open(out);
  CHECK(trace.provenance().policy == "snapkv:12,5");
  const auto file = *SafetensorsFile::open(out);
  const auto entries = *tensor_values<std::int32_t>(*file.find("kv_entries"));
  const auto shape = file.find("kv_entries")->shape;
  const auto length = static_cast<std::size_t>(shape[0]);
  const auto heads = static_cast<std::size_t>(shape[1] * shape[2]);
  const std::size_t prompt = length - 6;
  REQUIRE(prompt > 20);
  for (std::size_t t = 0; t < length; ++t) {
    for (std::size_t head = 0; head < heads; ++head)
      CHECK(entries[t * heads + head] == static_cast<std::int32_t>(t + 1 < prompt ? t + 1 : 12 + t + 1 - prompt));
  }
  CHECK(file.find("evicted")->shape[0] == static_cast<std::int64_t>(heads * (prompt - 12)));
  const auto sequence = session_of(trace, {});
  REQUIRE(sequence);
  const RunOutcome outcome = run_outcome(sequence->record, static_cast<std::int64_t>(prompt));
  CHECK(outcome.drops_after_reading);
  CHECK(outcome.figures.entries == static_cast<std::int64_t>(12 * heads));
}

}  // namespace natscope::test
