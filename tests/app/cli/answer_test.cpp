// SPDX-License-Identifier: GPL-3.0-or-later
// answer: what generate writes and eval measures, question by question.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

const std::string first = "The old man looked at the sea and";
const std::string second = "Alice was beginning to get very tired of sitting by her sister on the bank, and";

std::string questions(const std::string& answer) {
  return nlohmann::json{{"prompt", first}, {"answer", answer}}.dump() + "\n" +
         nlohmann::json{{"prompt", second}, {"answers", {"no such words", answer}}}.dump() + "\n";
}

TEST_CASE("answer writes what generate writes, and its cache is what eval measures") {
  const TemporaryFolder folder;
  write_file(folder.file("first.txt"), first);
  write_file(folder.file("second.txt"), second);
  for (const char* const policy : {"model", "streaming:2,6"}) {
    CAPTURE(policy);
    const auto text_of = [&](const std::string& prompt) {
      return cli_json(
                 {"generate", "--prompt", prompt, "--greedy", "--max-new-tokens", "12", "--policy", policy})["text"]
          .get<std::string>();
    };
    const std::string word = text_of(first).substr(2, 6);
    write_file(folder.file("q.jsonl"), questions(word));
    const auto result = cli_json({"answer", "--questions", folder.file("q.jsonl"), "--max-new-tokens", "12", "--policy",
                                  policy, "--answers", folder.file("a.csv")});
    CHECK(result["policy"] == policy);
    CHECK(result["questions"] == 2);
    const double expected = text_of(second).find(word) == std::string::npos ? 0.5 : 1.0;
    CHECK(result["right"].get<double>() == expected);
    double fraction = 0;
    for (const char* const file : {"first.txt", "second.txt"})
      fraction += cli_json({"eval", "--text", folder.file(file), "--policy", policy})["kv_fraction"].get<double>() / 2;
    CHECK(result["kv_fraction"].get<double>() == doctest::Approx(fraction));

    const std::string csv = read_file(folder.file("a.csv"));
    CHECK(std::ranges::count(csv, '\n') >= 3);
    CHECK(csv.find("no such words") != std::string::npos);
  }
}

TEST_CASE("several policies answer the same questions, as a table, JSON and csv") {
  const TemporaryFolder folder;
  write_file(folder.file("q.jsonl"), questions("e"));
  const std::vector<std::string> base{
      "answer",   "--questions", folder.file("q.jsonl"), "--max-new-tokens", "8", "--policy", "full", "--policy",
      "window:4", "--csv",       folder.file("p.csv")};
  const auto results = cli_json(base);
  REQUIRE(results.size() == 2);
  CHECK(results[0]["kv_fraction"] == 1.0);
  CHECK(results[1]["kv_fraction"].get<double>() < 0.5);
  CHECK(read_file(folder.file("p.csv")).starts_with("policy,questions,right,kv_fraction"));
  const ProgramResult table = cli(base);
  CHECK(table.exit_code == 0);
  CHECK(table.out.starts_with("2 questions, "));
  CHECK(table.out.find("window:4") != std::string::npos);

  // All of the answers, and not one of them.
  auto all = base;
  all.insert(all.end(), {"--match", "all"});
  const double any = results[0]["right"];
  CHECK(cli_json(all)[0]["right"].get<double>() <= any);
  // Or the words in common: none with a letter.
  all.back() = "f1";
  const auto words = cli_json(all);
  CHECK(words[0]["match"] == "f1");
  CHECK(words[0]["right"].get<double>() <= any);
  CHECK(cli(all).out.find(" F1 ") != std::string::npos);
}

TEST_CASE("what is wrong with questions is said before the work") {
  const TemporaryFolder folder;
  write_file(folder.file("bad.jsonl"), "{\"prompt\": \"a\", \"answer\": \"b\"}\n{\"prompt\": \"a\"}\n");
  std::string longest;
  for (int i = 0; i < 3000; ++i) longest += "word ";
  write_file(folder.file("long.jsonl"), questions("a") + nlohmann::json{{"prompt", longest}, {"answer", "a"}}.dump());
  write_file(folder.file("good.jsonl"), questions("a"));
  const auto run = [&](const std::string& file, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"answer", "--questions", folder.file(file)});
    return cli(more);
  };
  const ProgramResult bad = run("bad.jsonl");
  CHECK(bad.exit_code == 3);
  CHECK(bad.err.find("bad-data") != std::string::npos);
  CHECK(bad.err.find("line 2") != std::string::npos);
  const ProgramResult too_long = run("long.jsonl");
  CHECK(too_long.exit_code == 3);
  CHECK(too_long.err.find("prompt-too-long") != std::string::npos);
  CHECK(too_long.err.find("line 3") != std::string::npos);
  CHECK(run("good.jsonl", {"--chat"}).err.find("has no chat template") != std::string::npos);
  CHECK(run("good.jsonl", {"--policy", "full", "--policy", "full"}).exit_code == 2);
  CHECK(run("good.jsonl", {"--policy", "windows"}).exit_code == 2);
  // Before the first policy answers anything.
  CHECK(run("good.jsonl", {"--policy", "full", "--policy", "longformer:8,999999", "--max-new-tokens", "1000000"})
            .err.find("bad-position") != std::string::npos);
  CHECK(
      run("good.jsonl", {"--csv", folder.file("a.csv"), "--answers", folder.path().string() + "/./a.csv"}).exit_code ==
      2);
  CHECK(run("good.jsonl", {"--answers", folder.file("good.jsonl")}).exit_code == 2);
  CHECK(read_file(folder.file("good.jsonl")) == questions("a"));
}

}  // namespace
}  // namespace natscope::test
