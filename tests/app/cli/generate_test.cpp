// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include "tests/app/cli/cli_program.h"
#include "tests/support/temporary_folder.h"

namespace natscope::test {
namespace {

const std::vector<std::string> base{"generate", "--prompt", "The old man looked at the sea and", "--max-new-tokens",
                                    "24"};

std::vector<std::string> with(std::vector<std::string> more) {
  std::vector<std::string> all = base;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

TEST_CASE("generate reports what the contract names") {
  const auto result = cli_json(with({"--greedy"}));
  for (const char* field :
       {"text", "tokens", "prompt_tokens", "stop_reason", "prefill_tokens_per_s", "decode_tokens_per_s", "kv"}) {
    CAPTURE(field);
    CHECK(result.contains(field));
  }
  const auto& kv = result["kv"];
  const auto info = cli_json({"info"});
  const std::int64_t tokens =
      result["prompt_tokens"].get<std::int64_t>() + static_cast<std::int64_t>(result["tokens"].size());
  CHECK(kv["dense_bytes"] == tokens * info["kv_bytes_per_token"].get<std::int64_t>());
  CHECK(kv["live_bytes"] == kv["entries"].get<std::int64_t>() * 2 * info["head_dim"].get<std::int64_t>() * 4);
  CHECK(kv["allocated_bytes"].get<std::int64_t>() >= kv["live_bytes"].get<std::int64_t>());
  const double heads = info["layers"].get<double>() * info["kv_heads"].get<double>();
  CHECK(kv["fraction"].get<double>() ==
        doctest::Approx(kv["entries"].get<double>() / (static_cast<double>(tokens) * heads)));
}

TEST_CASE("the same seed gives the same text, whatever the chunks; another seed another one") {
  const auto first = cli_json(with({"--seed", "7"}));
  CHECK(cli_json(with({"--seed", "7"}))["tokens"] == first["tokens"]);
  CHECK(cli_json(with({"--seed", "8"}))["tokens"] != first["tokens"]);
  CHECK(cli_json(with({"--greedy", "--chunk", "1"}))["tokens"] ==
        cli_json(with({"--greedy", "--chunk", "3"}))["tokens"]);
}

TEST_CASE("numbers are decimal, with zeros in front too") {
  CHECK(cli_json({"generate", "--tokens", "1", "--greedy", "--max-new-tokens", "010", "--chunk", "08"})["tokens"]
            .size() == 10);
  CHECK(cli_json({"eval", "--text", std::string(NATSCOPE_RESOURCE_DIR) + "/demo/README.md", "--segment", "010",
                  "--tokens-max", "0010"})["tokens"] == 9);
  CHECK(cli_json(with({"--temperature", "00.5"}))["tokens"] == cli_json(with({"--temperature", "0.5"}))["tokens"]);
}

TEST_CASE("plain output is the text alone, and equals the JSON's") {
  const ProgramResult plain = cli(with({"--greedy"}));
  REQUIRE(plain.exit_code == 0);
  CHECK(plain.out == cli_json(with({"--greedy"}))["text"].get<std::string>() + "\n");
  CHECK(plain.err.empty());
  const ProgramResult live = cli(with({"--greedy", "--live"}));
  CHECK(live.out == plain.out);
  CHECK(live.err.find("allocated") != std::string::npos);
  CHECK(live.err.find('\033') == std::string::npos);
  // Beside --json stdout is the object's, and stderr has the table all the same.
  const ProgramResult both = cli(with({"--greedy", "--live", "--json"}));
  CHECK(nlohmann::json::parse(both.out)["text"].get<std::string>() + "\n" == plain.out);
  CHECK(both.err == live.err);
}

TEST_CASE("prompts come from a file, from standard input, or as tokens") {
  const TemporaryFolder folder;
  write_file(folder.file("prompt.txt"), base[2]);
  const auto expected = cli_json(with({"--greedy"}))["tokens"];
  CHECK(cli_json({"generate", "--prompt-file", folder.file("prompt.txt"), "--max-new-tokens", "24",
                  "--greedy"})["tokens"] == expected);
  const ProgramResult piped =
      cli({"generate", "--prompt-file", "-", "--max-new-tokens", "24", "--greedy", "--json"}, {.input = base[2]});
  REQUIRE(piped.exit_code == 0);
  CHECK(nlohmann::json::parse(piped.out)["tokens"] == expected);
  // As a shell's <(command): a pipe with a path.
  const ProgramResult named = cli(
      {"generate", "--prompt-file", "/dev/stdin", "--max-new-tokens", "24", "--greedy", "--json"}, {.input = base[2]});
  REQUIRE(named.exit_code == 0);
  CHECK(nlohmann::json::parse(named.out)["tokens"] == expected);
  CHECK(cli_json({"generate", "--tokens", "1,100,200", "--max-new-tokens", "1", "--greedy"})["prompt_tokens"] == 3);
}

TEST_CASE("--chat puts the marks of the folder's template round the prompt") {
  const TemporaryFolder folder;
  make_chat_demo(folder);
  const std::vector<std::string> common{"--model", folder.path().string(), "--greedy", "--max-new-tokens", "12"};
  const auto tokens_of = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "generate");
    arguments.insert(arguments.end(), common.begin(), common.end());
    return cli_json(arguments)["tokens"];
  };
  const auto chat = tokens_of({"--chat", "--prompt", "Who are you?"});
  CHECK(chat == tokens_of({"--prompt", "user: Who are you?\nanswer:"}));
  CHECK(tokens_of({"--chat", "--system", "Be brief.", "--prompt", "Who are you?"}) ==
        tokens_of({"--prompt", "system: Be brief.\nuser: Who are you?\nanswer:"}));
  CHECK(cli_json({"info", "--model", folder.path().string()})["chat_template"] == true);

  CHECK(cli({"generate", "--chat", "--prompt", "a"}).err.find("has no chat template") != std::string::npos);
  CHECK(cli({"generate", "--chat", "--tokens", "1"}).exit_code == 2);
  CHECK(cli({"generate", "--system", "a", "--prompt", "b"}).exit_code == 2);
  CHECK(cli({"export", "--kind", "kv", "--from", "x", "--chat", "--out", "x.csv"}).exit_code == 2);
  CHECK(cli({"generate", "--model", folder.path().string(), "--chat", "--prompt", ""}).exit_code == 3);
  write_bytes(folder / "q.jsonl", R"({"prompt": "Who are you?", "answer": "x", "answer_prefix": " I am"})");
  const auto answered = cli_json({"answer", "--questions", folder.file("q.jsonl"), "--model", folder.path().string(),
                                  "--chat", "--system", "", "--max-new-tokens", "3"});
  CHECK(answered["prompt_tokens"] == cli_json({"generate", "--prompt", "system: \nuser: Who are you?\nanswer: I am",
                                               "--max-new-tokens", "1"})["prompt_tokens"]);
}

TEST_CASE("generation ends for the reason it names") {
  CHECK(cli_json(with({"--greedy"}))["stop_reason"] == "max_new_tokens");
  const std::string text = cli_json(with({"--greedy"}))["text"];
  const std::string stop = text.substr(text.size() / 2, 3);
  const auto stopped = cli_json(with({"--greedy", "--stop", stop}));
  CHECK(stopped["stop_reason"] == "stop_string");
  CHECK(text.rfind(stopped["text"].get<std::string>(), 0) == 0);
  CHECK(stopped["text"].get<std::string>().find(stop) == std::string::npos);
  const auto none = cli_json({"generate", "--prompt", "a", "--max-new-tokens", "0"});
  CHECK(none["tokens"].empty());
  CHECK(none["text"] == "");
}

TEST_CASE("a full context is said, in plain output, too") {
  const TemporaryFolder folder;
  std::string ids = "1";
  for (int i = 0; i < 1019; ++i) ids += "," + std::to_string(300 + i % 50);
  const ProgramResult full = cli({"generate", "--tokens", ids, "--max-new-tokens", "50", "--seed", "3"});
  REQUIRE(full.exit_code == 0);
  // Unless the model ends the text before.
  const bool is_full = full.err == "note: stopped after 4 of 50 tokens: the context of 1,024 is full\n";
  CHECK((is_full || full.err.empty()));
  const auto same = cli_json({"generate", "--tokens", ids, "--max-new-tokens", "50", "--seed", "3"});
  CHECK(is_full == (same["stop_reason"] == "context_full"));
}

TEST_CASE("a policy replaces the learned roles") {
  CHECK(cli_json(with({"--greedy", "--policy", "full"}))["kv"]["fraction"] == 1.0);
  const auto window = cli_json(with({"--greedy", "--policy", "window:4"}));
  const auto info = cli_json({"info"});
  CHECK(window["kv"]["entries"] == 4 * info["layers"].get<std::int64_t>() * info["kv_heads"].get<std::int64_t>());
  const auto heavy = cli_json(with({"--greedy", "--policy", "h2o:3,5"}));
  CHECK(heavy["kv"]["entries"] == 8 * info["layers"].get<std::int64_t>() * info["kv_heads"].get<std::int64_t>());
}

}  // namespace natscope::test
