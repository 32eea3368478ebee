// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/io/safetensors.h"
#include "tests/app/cli/cli_program.h"
#include "tests/support/tiny_model.h"

namespace natscope::test {
namespace {

std::string some_text() {
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += "The fox ran over hill " + std::to_string(i) + ", and nobody saw where it went. ";
  return text;
}

}  // namespace

TEST_CASE("eval's mean is that of the trace's logits, and its KV fraction that of the last token") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const auto result = cli_json({"eval", "--text", folder.file("text.txt"), "--segment", "64", "--tokens-max", "64"});
  for (const char* field : {"tokens", "nll", "perplexity", "kv_fraction", "paper_kv_fraction", "policy", "roles",
                            "per_layer_kv_fraction"}) {
    CAPTURE(field);
    CHECK(result.contains(field));
  }
  CHECK(result["tokens"] == 63);
  CHECK(result["policy"] == "model");
  CHECK(result["perplexity"].get<double>() == doctest::Approx(std::exp(result["nll"].get<double>())));

  // The same tokens through trace: the program's other path to the same numbers.
  const auto whole = cli({"trace", "--prompt-file", folder.file("text.txt"), "--out", folder.file("all.safetensors")});
  REQUIRE(whole.exit_code == 0);
  const auto tokens =
      *tensor_values<std::int64_t>(*SafetensorsFile::open(folder.file("all.safetensors"))->find("tokens"));
  std::string list;
  for (int i = 0; i < 64; ++i) list += (i ? "," : "") + std::to_string(tokens[static_cast<std::size_t>(i)]);
  REQUIRE(cli({"trace", "--tokens", list, "--logits", "--out", folder.file("cut.safetensors")}).exit_code == 0);
  const auto file = *SafetensorsFile::open(folder.file("cut.safetensors"));
  const auto logits = *tensor_values<float>(*file.find("logits"));
  const std::size_t vocab = logits.size() / 64;
  double nll = 0;
  for (std::size_t t = 0; t + 1 < 64; ++t) {
    double sum = 0;
    for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(static_cast<double>(logits[t * vocab + v]));
    nll += std::log(sum) - logits[t * vocab + static_cast<std::size_t>(tokens[t + 1])];
  }
  CHECK(result["nll"].get<double>() == doctest::Approx(nll / 63).epsilon(1e-5));
  const auto entries = *tensor_values<std::int32_t>(*file.find("kv_entries"));
  const std::size_t heads = entries.size() / 64;
  double held = 0;
  for (std::size_t head = 0; head < heads; ++head) held += entries[63 * heads + head];
  CHECK(result["kv_fraction"].get<double>() == doctest::Approx(held / (64.0 * static_cast<double>(heads))));
}

TEST_CASE("segments: a shorter rest is left out unless it is all there is") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const std::string file = folder.file("text.txt");
  CHECK(cli_json({"eval", "--text", file, "--segment", "50", "--tokens-max", "149"})["tokens"] == 98);
  CHECK(cli_json({"eval", "--text", file, "--segment", "50", "--tokens-max", "30"})["tokens"] == 29);
  const ProgramResult one = cli({"eval", "--text", file, "--tokens-max", "1"});
  CHECK(one.exit_code == 3);
}

TEST_CASE("policies: full keeps all, h2o has no roles, a window's paper fraction may pass 1") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const auto eval = [&](const char* policy) {
    return cli_json(
        {"eval", "--text", folder.file("text.txt"), "--segment", "40", "--tokens-max", "80", "--policy", policy});
  };
  CHECK(eval("full")["kv_fraction"] == 1.0);
  CHECK(eval("full")["paper_kv_fraction"] == 1.0);
  const auto heavy = eval("h2o:4,6");
  CHECK(heavy["roles"].is_null());
  CHECK(heavy["kv_fraction"].get<double>() == doctest::Approx(10.0 / 40));
  CHECK(heavy["paper_kv_fraction"] == heavy["kv_fraction"]);
  const auto window = eval("window:8");
  CHECK(window["kv_fraction"].get<double>() == doctest::Approx(8.0 / 40));
  CHECK(window["paper_kv_fraction"].get<double>() == doctest::Approx(8.0 / 40));
  CHECK(window["roles"]["sliding"] == 1.0);
  CHECK(eval("window:60")["paper_kv_fraction"].get<double>() == doctest::Approx(60.0 / 40));
  const auto streaming = eval("streaming:2,8");
  CHECK(streaming["kv_fraction"].get<double>() == doctest::Approx(10.0 / 40));
}

TEST_CASE("a model whose output is no number is refused, whatever asks it") {
  const TemporaryFolder folder;
  TinyModel model;
  model.remove_score_layers();
  TinyTensor& weight = model.tensor("model.layers.1.mlp.up_proj.weight");
  const float broken = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(weight.bytes.data(), &broken, sizeof(broken));
  std::filesystem::create_directories(folder.path() / "model");
  model.write(folder.path() / "model");
  write_file(folder.file("text.txt"), "She ran.");
  const std::string at = folder.file("model");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"eval", "--text", folder.file("text.txt"), "--segment", "8", "--json"},
        std::vector<std::string>{"trace", "--tokens", "1,2,3", "--out", folder.file("t.safetensors")},
        std::vector<std::string>{"export", "--kind", "kv", "--tokens", "1,2,3", "--out", folder.file("k.json")},
        std::vector<std::string>{"generate", "--tokens", "1,2,3"}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--model", at});
    CAPTURE(command.front());
    const ProgramResult result = cli(arguments);
    CHECK(result.exit_code == 3);
    CHECK(result.last_error_line().rfind("error: unsupported-model: ", 0) == 0);
    CHECK(result.out.empty());
  }
  CHECK(folder.names() == std::vector<std::string>{"model", "text.txt"});
}

}  // namespace natscope::test
