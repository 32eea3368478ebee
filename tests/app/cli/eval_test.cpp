// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <string>

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
  for (const char* field :
       {"tokens", "nll", "perplexity", "kv_fraction", "paper_kv_fraction", "policy", "roles", "per_layer_kv_fraction",
        "tokens_left_out", "mean_kv_fraction", "trained_with", "set_by_hand"}) {
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
  // The mean over steps: what was held after each of them.
  double all = 0;
  for (const std::int32_t count : entries) all += count;
  CHECK(result["mean_kv_fraction"].get<double>() ==
        doctest::Approx(all / (64.0 * 65.0 / 2 * static_cast<double>(heads))));
}

TEST_CASE("what is left out is said, in the text, beside the JSON and in it") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const std::vector<std::string> command{"eval",         "--text", folder.file("text.txt"), "--segment", "50",
                                         "--tokens-max", "149"};
  const ProgramResult text = cli(command);
  REQUIRE(text.exit_code == 0);
  CHECK(text.out.find("98 in 2 segments") != std::string::npos);
  CHECK(text.out.find("49 tokens at the end") != std::string::npos);
  CHECK(text.err.empty());
  std::vector<std::string> json = command;
  json.emplace_back("--json");
  const ProgramResult with_json = cli(json);
  CHECK(nlohmann::json::parse(with_json.out)["tokens_left_out"] == 49);
  CHECK(with_json.err == "note: 49 tokens at the end are left out: less than a segment\n");
  const ProgramResult whole = cli({"eval", "--text", folder.file("text.txt"), "--segment", "50", "--tokens-max", "50"});
  CHECK(whole.out.find("49 in 1 segment\n") != std::string::npos);
  CHECK(whole.out.find("left out") == std::string::npos);
}

TEST_CASE("a model that learned its roles is not taken for one with full attention") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const auto notes = [&](const char* policy) {
    return cli({"eval", "--text", folder.file("text.txt"), "--tokens-max", "40", "--policy", policy}).err;
  };
  CHECK(notes("model").empty());
  for (const char* policy : {"full", "streaming:4,8", "h2o:4,4"}) {
    CAPTURE(policy);
    CHECK(notes(policy).find(std::string("trained with its learned roles: under ") + policy) != std::string::npos);
  }
  CHECK(notes("streaming:0,0").find("keeps no entry") != std::string::npos);
  CHECK(cli_json({"eval", "--text", folder.file("text.txt"), "--tokens-max", "40"})["trained_with"] == "model");
  TinyModel model;
  model.remove_score_layers();
  std::filesystem::create_directories(folder.path() / "plain");
  model.write(folder.path() / "plain");
  const std::vector<std::string> plain{"eval",         "--text",  folder.file("text.txt"), "--tokens-max",
                                       "40",           "--model", folder.file("plain"),    "--policy",
                                       "streaming:4,8"};
  CHECK(cli(plain).err.empty());
  CHECK(cli_json(plain)["trained_with"].is_null());
}

TEST_CASE("several policies: the same numbers as one by one, as a table, an array and a file") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const std::vector<std::string> policies{"model", "streaming:2,8", "h2o:4,6"};
  std::vector<std::string> command{"eval", "--text", folder.file("text.txt"), "--segment", "40", "--tokens-max",
                                   "90",   "--csv",  folder.file("all.csv")};
  for (const std::string& policy : policies) command.insert(command.end(), {"--policy", policy});
  const auto all = cli_json(command);
  REQUIRE(all.is_array());
  REQUIRE(all.size() == policies.size());
  for (std::size_t i = 0; i < policies.size(); ++i) {
    auto alone = cli_json(
        {"eval", "--text", folder.file("text.txt"), "--segment", "40", "--tokens-max", "90", "--policy", policies[i]});
    CHECK(alone["nll_difference"].is_null());
    for (const char* const beside : {"nll_difference", "nll_difference_standard_error"}) alone[beside] = all[i][beside];
    CHECK(all[i] == alone);
    CHECK(all[i]["nll_difference"].is_null() == (i == 0));
  }
  const std::string csv = read_file(folder.file("all.csv"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 4);
  CHECK(csv.find("\n\"streaming:2,8\",78,2,10,") != std::string::npos);
  CHECK(csv.find("\n\"h2o:4,6\",78,2,10,") != std::string::npos);
  CHECK(csv.substr(csv.find("\n\"h2o:4,6\"")).find(",,,,") != std::string::npos);  // H2O has no roles
  const ProgramResult table = cli(command);
  REQUIRE(table.exit_code == 0);
  CHECK(table.out.find("\nmodel ") != std::string::npos);
  CHECK(table.out.find("    1.0000 ") != std::string::npos);
  CHECK(table.out.find("\nh2o:4,6 ") != std::string::npos);
}

TEST_CASE("standard errors: of a mean over segments, and of two policies' difference, from each token's loss") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const auto results =
      cli_json({"eval", "--text", folder.file("text.txt"), "--segment", "40", "--tokens-max", "160", "--policy",
                "model", "--policy", "streaming:2,8", "--per-token", folder.file("each.csv")});
  // Of four segments of 39 predicted tokens the sums, by hand: only whole lines count, texts may hold line breaks.
  std::array<std::array<double, 4>, 2> sums{};
  std::istringstream lines(read_file(folder.file("each.csv")));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t last = line.rfind(',');
    const std::size_t other = line.rfind(',', last - 1);
    if (line.find(',') == 0 || line.empty() || line.front() < '0' || line.front() > '3') continue;
    const auto segment = static_cast<std::size_t>(line.front() - '0');
    sums[0][segment] += std::stod(line.substr(other + 1));
    sums[1][segment] += std::stod(line.substr(last + 1));
  }
  const auto error_of = [](const std::array<double, 4>& of_segments) {
    double mean = 0;
    for (const double sum : of_segments) mean += sum / 4;
    double squares = 0;
    for (const double sum : of_segments) squares += (sum - mean) * (sum - mean);
    return std::sqrt(squares / 3 / 4) / 39;  // of the mean of four, each of 39 tokens
  };
  std::array<double, 4> differences{};
  for (std::size_t i = 0; i < 4; ++i) differences[i] = sums[1][i] - sums[0][i];
  for (std::size_t policy = 0; policy < 2; ++policy)
    CHECK(results[policy]["nll_standard_error"].get<double>() == doctest::Approx(error_of(sums[policy])));
  CHECK(results[1]["nll_difference_standard_error"].get<double>() == doctest::Approx(error_of(differences)));
  CHECK(results[1]["nll_difference"].get<double>() ==
        doctest::Approx(results[1]["nll"].get<double>() - results[0]["nll"].get<double>()));
  const auto one = cli_json({"eval", "--text", folder.file("text.txt"), "--tokens-max", "40"});
  CHECK(one["nll_standard_error"].is_null());
}

TEST_CASE("the loss of each token: a line each, and their sum is the text's") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), "He said \"no\",\nand then — nothing.\n" + some_text());
  const auto rows = [](const std::string& csv) {
    // Quoted fields hold commas and line breaks.
    std::vector<std::vector<std::string>> table(1, std::vector<std::string>(1));
    bool in_quotes = false;
    char before = 0;
    for (const char character : csv) {
      if (character == '"') {
        in_quotes = !in_quotes;
        if (in_quotes && before == '"') table.back().back() += '"';
      } else if (!in_quotes && character == ',') {
        table.back().emplace_back();
      } else if (!in_quotes && character == '\n') {
        table.emplace_back(1);
      } else {
        table.back().back() += character;
      }
      before = character;
    }
    table.pop_back();
    return table;
  };
  const std::vector<std::string> command{"eval",      "--text",      folder.file("text.txt"),
                                         "--segment", "30",          "--tokens-max",
                                         "70",        "--per-token", folder.file("each.csv")};
  const auto one = cli_json(command);
  auto table = rows(read_file(folder.file("each.csv")));
  CHECK(table.front() == std::vector<std::string>{"segment", "position", "token", "text", "nll"});
  REQUIRE(table.size() == 1 + 58);
  double sum = 0;
  std::string text;
  for (std::size_t row = 1; row < table.size(); ++row) {
    REQUIRE(table[row].size() == 5);
    CHECK(table[row][0] == (row <= 29 ? "0" : "1"));
    CHECK(table[row][1] == std::to_string((row - 1) % 29 + 1));
    sum += std::stod(table[row][4]);
    if (row <= 29) text += table[row][3];
  }
  CHECK(sum / 58 == doctest::Approx(one["nll"].get<double>()).epsilon(1e-12));
  CHECK(text.starts_with("He said \"no\",\nand then — nothing."));

  std::vector<std::string> both = command;
  both.insert(both.end(), {"--policy", "full", "--policy", "window:3"});
  const auto all = cli_json(both);
  table = rows(read_file(folder.file("each.csv")));
  CHECK(table.front()[4] == "nll full");
  CHECK(table.front()[5] == "nll window:3");
  for (std::size_t policy = 0; policy < 2; ++policy) {
    sum = 0;
    for (std::size_t row = 1; row < table.size(); ++row) sum += std::stod(table[row][4 + policy]);
    CHECK(sum / 58 == doctest::Approx(all[policy]["nll"].get<double>()).epsilon(1e-12));
  }
}

TEST_CASE("eval takes what is set by hand, as trace does") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const auto eval = [&](std::vector<std::string> more) {
    std::vector<std::string> command{"eval", "--text", folder.file("text.txt"), "--tokens-max", "40"};
    command.insert(command.end(), more.begin(), more.end());
    return cli_json(command);
  };
  const auto free = eval({});
  CHECK(free["set_by_hand"].is_null());
  // Everything global is full attention, however it is said.
  std::vector<std::string> global;
  for (int n = 0; n < 40; ++n) global.insert(global.end(), {"--force", "*.*." + std::to_string(n) + "=g"});
  const auto forced = eval(global);
  CHECK(forced["nll"].get<double>() == doctest::Approx(eval({"--policy", "full"})["nll"].get<double>()).epsilon(1e-6));
  CHECK(forced["roles"]["global"] == 1.0);
  CHECK_FALSE(forced["set_by_hand"].is_null());
  CHECK(eval({"--window", "0"})["kv_fraction"].get<double>() < free["kv_fraction"].get<double>());
  // Roles of a file: those that the model chose itself change nothing.
  REQUIRE(cli({"trace", "--prompt-file", folder.file("text.txt"), "--out", folder.file("t.safetensors")}).exit_code ==
          0);
  CHECK(eval({"--roles", folder.file("t.safetensors")})["nll"].get<double>() ==
        doctest::Approx(free["nll"].get<double>()).epsilon(1e-6));

  const auto refused = [&](std::vector<std::string> more) {
    std::vector<std::string> command{"eval", "--text", folder.file("text.txt"), "--tokens-max", "40"};
    command.insert(command.end(), more.begin(), more.end());
    const ProgramResult result = cli(command);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
    return result.last_error_line();
  };
  CHECK(refused({"--segment", "20", "--force", "0.0.3=G"}).find("cut into 2 segments") != std::string::npos);
  CHECK(refused({"--policy", "h2o:2,2", "--force", "0.0.3=G"}).find("no roles") != std::string::npos);
  CHECK(refused({"--policy", "model", "--policy", "window:4", "--window", "4"}).find("of its own") !=
        std::string::npos);
  CHECK(refused({"--policy", "full", "--policy", "full"}).find("twice") != std::string::npos);
  CHECK(refused({"--csv", folder.file("text.txt")}).find("is read by --text") != std::string::npos);
  CHECK(refused({"--csv", folder.file("x.csv"), "--per-token", folder.file("x.csv")}).find("same file") !=
        std::string::npos);
}

TEST_CASE("a text comes through a pipe, too") {
  const TemporaryFolder folder;
  write_file(folder.file("text.txt"), some_text());
  const auto expected = cli_json({"eval", "--text", folder.file("text.txt"), "--tokens-max", "40"});
  const ProgramResult piped = cli({"eval", "--text", "-", "--tokens-max", "40", "--json"}, {.input = some_text()});
  REQUIRE(piped.exit_code == 0);
  CHECK(nlohmann::json::parse(piped.out) == expected);
  const ProgramResult named =
      cli({"eval", "--text", "/dev/stdin", "--tokens-max", "40", "--json"}, {.input = some_text()});
  REQUIRE(named.exit_code == 0);
  CHECK(nlohmann::json::parse(named.out) == expected);
  const ProgramResult empty = cli({"eval", "--text", "-"});
  CHECK(empty.exit_code == 3);
  CHECK(empty.last_error_line().find("standard input is empty") != std::string::npos);
  CHECK(cli({"eval", "--text", "-", "-"}, {.input = "a"}).exit_code == 2);
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
