// SPDX-License-Identifier: GPL-3.0-or-later
// --context: which texts a model is opened for, and that a Phi-3 then takes LongRoPE's other factors.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

/// An original context of 64 tokens and one of 256 with the long factors.
const std::string phi3 = NATSCOPE_TESTS_DIR "/data/hf/phi3_longrope";

/// Of so many tokens, the beginning one included.
std::string ids(int count) {
  std::string text = "1";
  for (int i = 1; i < count; ++i) text += "," + std::to_string(3 + i * 7919 % 290);
  return text;
}

std::vector<std::string> generate(int tokens, const std::vector<std::string>& more) {
  std::vector<std::string> command{"generate", "--model",          phi3, "--tokens", ids(tokens),
                                   "--greedy", "--max-new-tokens", "4",  "--device", "cpu"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

}  // namespace

TEST_CASE("info says the context, and how long a text may be with --context") {
  const auto info = [](const std::vector<std::string>& more) {
    std::vector<std::string> command{"info", "--model", phi3};
    command.insert(command.end(), more.begin(), more.end());
    return cli_json(command);
  };
  CHECK(info({})["context"] == 64);
  CHECK(info({})["longest_context"] == 256);
  CHECK(info({"--context", "200"})["context"] == 200);
  CHECK(info({"--context", "200"})["longest_context"] == 256);
  CHECK(cli({"info", "--model", phi3}).out.find("64 tokens, with --context up to 256\n") != std::string::npos);
  CHECK(cli({"info", "--model", phi3, "--context", "256"}).out.find("256 tokens\n") != std::string::npos);
  CHECK(cli_json({"info"})["longest_context"] == cli_json({"info"})["context"]);
}

TEST_CASE("a text beyond the original context asks for --context, which no model has more of than it has") {
  const ProgramResult refused = cli(generate(65, {}));
  CHECK(refused.exit_code == 3);
  CHECK(refused.err.find("error: prompt-too-long: 65 tokens are given, the context holds 64; shorten the prompt, or "
                         "give --context, for this model up to 256\n") != std::string::npos);
  CHECK(cli_json(generate(65, {"--context", "100"}))["prompt_tokens"] == 65);
  CHECK(cli_json(generate(64, {}))["stop_reason"] == "context_full");
  CHECK(cli_json(generate(64, {"--context", "256"}))["stop_reason"] != "context_full");

  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--context", "257"}, {"--context", "0"}, {"--context", "long"}}) {
    CAPTURE(more.back());
    CHECK(cli(generate(9, more)).exit_code == 2);
  }
  CHECK(cli(generate(9, {"--context", "257"}))
            .err.find("error: usage: a context of 257 tokens, but the model's holds 256; give at most that many\n") !=
        std::string::npos);
}

TEST_CASE("the losses of a text change with the factors, not with a context within the original one") {
  const TemporaryFolder folder;
  std::string text = "Hills:";
  while (text.size() < 300) text += " one of " + std::to_string(text.size()) + " feet;";
  write_file(folder.file("text.txt"), text);
  const auto nll = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command{"eval",      "--model",  phi3,           "--text", folder.file("text.txt"),
                                     "--segment", "48",       "--tokens-max", "48",     "--policy",
                                     "full",      "--device", "cpu"};
    command.insert(command.end(), more.begin(), more.end());
    return cli_json(command)["nll"].get<double>();
  };
  const double original = nll({});
  CHECK(nll({"--context", "64"}) == original);
  CHECK(nll({"--context", "48"}) == original);
  CHECK(nll({"--context", "65"}) == nll({"--context", "256"}));
  CHECK(nll({"--context", "65"}) != doctest::Approx(original).epsilon(1e-3));
}

TEST_CASE("a trace says the context that was asked for") {
  const TemporaryFolder folder;
  const auto context_in_trace = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command{
        "trace", "--model", phi3, "--tokens", ids(9), "--out", folder.file("run.safetensors"), "--device", "cpu"};
    command.insert(command.end(), more.begin(), more.end());
    CHECK(cli(command).exit_code == 0);
    const auto file = SafetensorsFile::open(folder.file("run.safetensors"));
    REQUIRE(file);
    const auto found = file->metadata().find("context");
    return found == file->metadata().end() ? std::string() : found->second;
  };
  CHECK(context_in_trace({}).empty());
  CHECK(context_in_trace({"--context", "100"}) == "100");
}

}  // namespace natscope::test
