// SPDX-License-Identifier: GPL-3.0-or-later
// passkeys: what a model finds again under cache policies, with a small model that can; and answer's questions behind a
// context.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

const std::string finder = NATSCOPE_TESTS_DIR "/bench/results/passkey_base";

std::vector<std::string> asking(const std::vector<std::string>& more, const std::string& lengths = "160") {
  std::vector<std::string> all{"passkeys", "--model", finder, "--documents", "10", "--lengths", lengths};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST_CASE("keys are found by who kept them") {
  const TemporaryFolder folder;
  const auto results = cli_json(asking({"--policy", "full", "--policy", "streaming:4,20", "--policy", "snapkv:90,8",
                                        "--ask", "within", "--ask", "behind", "--csv", folder.file("k.csv")}));
  REQUIRE(results.size() == 4);
  const auto& full = results[0];
  CHECK(full["answers"] == 10);
  CHECK(full["right"] == 10);
  CHECK(full["ask"].is_null());
  CHECK(full["lengths"][0]["kv_fraction"] == 1.0);
  CHECK(full["cells"].size() == 5);
  CHECK(full["cells"][4]["answers"] == 2);
  // No window of 24 reaches over a question and its answer to a key before it.
  CHECK(results[1]["lengths"][0]["kv_fraction"].get<double>() == doctest::Approx(24.0 / 160));
  CHECK(results[1]["right"].get<int>() <= 2);
  const auto& within = results[2];
  const auto& behind = results[3];
  CHECK(within["ask"] == "within");
  CHECK(behind["ask"] == "behind");
  // Who knows the question keeps its answer: 90 of some 150 entries are enough for that, and not without it.
  CHECK(within["right"].get<int>() > behind["right"].get<int>());
  // What stands behind the prompt is held on top: the question is, too, where it was not in it.
  const double question =
      160 * (behind["lengths"][0]["kv_fraction"].get<double>() - within["lengths"][0]["kv_fraction"].get<double>());
  CHECK(question > 15);
  CHECK(question < 30);
  const std::string csv = read_file(folder.file("k.csv"));
  CHECK(std::ranges::count(csv, '\n') == 1 + 4 * 5);
  CHECK(csv.find("\"snapkv:90,8\",behind,\"snapkv:90,8\",") != std::string::npos);
}

TEST_CASE("a budget is what is held after the answer, whatever drops it") {
  const auto results = cli_json(asking(
      {"--policy", "window:39", "--budgets", "same,0.5", "--baselines", "h2o,snapkv", "--ask", "behind"}, "160,240"));
  REQUIRE(results.size() == 1 + 2 * 2);
  CHECK(results[1]["policy"] == "h2o at same");
  CHECK(results[2]["policy"] == "snapkv at same");
  CHECK(results[4]["policy"] == "snapkv at 0.5");
  for (int length = 0; length < 2; ++length) {
    CAPTURE(length);
    const auto held = [&](int i) { return results[i]["lengths"][length]["kv_fraction"].template get<double>(); };
    CHECK(held(1) == doctest::Approx(held(0)).epsilon(0.03));
    // Documents' questions differ by a token or two.
    CHECK(held(2) == doctest::Approx(held(0)).epsilon(0.06));
    CHECK(held(3) == doctest::Approx(0.5).epsilon(0.01));
    CHECK(held(4) == doctest::Approx(0.5).epsilon(0.02));
  }
  CHECK(results[3]["lengths"][0]["policy"] == "h2o:40,40");
  CHECK(results[3]["lengths"][1]["policy"] == "h2o:60,60");
}

TEST_CASE("the same seed asks the same documents, and where the question stands is all the same to who drops nothing") {
  const auto once = cli_json(asking({"--seed", "7", "--chunk", "16"}));
  const auto again = cli_json(asking({"--seed", "7", "--chunk", "16"}));
  CHECK(once == again);
  const auto other = cli_json(asking({"--seed", "8"}));
  CHECK(once["cells"][0]["nll_sum"] != other["cells"][0]["nll_sum"]);
  // SnapKV that has room for everything drops nothing, wherever its prompt ends.
  const auto whole = cli_json(asking({"--policy", "full", "--policy", "snapkv:160,8", "--ask", "behind"}));
  CHECK(whole[1]["right"] == whole[0]["right"]);
  for (int cell = 0; cell < 5; ++cell)
    CHECK(whole[1]["cells"][cell]["nll_sum"].get<double>() ==
          doctest::Approx(whole[0]["cells"][cell]["nll_sum"].get<double>()).epsilon(1e-4));
}

TEST_CASE("what cannot be asked is said, and how") {
  const TemporaryFolder folder;
  write_file(folder.file("short.txt"), "Far too short to hide anything in.");
  const auto refused = [&](const std::vector<std::string>& more, int code, const std::string& words,
                           const std::string& lengths = "160") {
    CAPTURE(words);
    const ProgramResult result = cli(asking(more, lengths));
    CHECK(result.exit_code == code);
    CHECK_MESSAGE(result.err.find(words) != std::string::npos, result.err);
  };
  refused({}, 3, "the model's context holds", "999999");
  refused({}, 3, "no room for a pass key", "20");
  refused({"--text", folder.file("short.txt")}, 3, "give a longer text");
  refused({"--budgets", "mean"}, 2, "--budgets takes same, or shares");
  refused({"--figure", folder.file("keys.txt")}, 2, "is no name of a picture");
  refused({"--ask", "before"}, 2, "--ask");
  refused({"--csv", folder.file("a.csv"), "--figure", folder.file("a.csv")}, 2, "--figure");
  const ProgramResult table = cli(asking({}));
  CHECK(table.out.find("10 of 10") != std::string::npos);
}

TEST_CASE("answer reads a question behind its context") {
  const TemporaryFolder folder;
  std::string context = "A story about a river.";
  for (int i = 0; i < 12; ++i) context += " The old man went down to the sea and looked at it.";
  const std::string question = "\nWhat did he look at?";
  const nlohmann::json line{{"context", context}, {"question", question}, {"answer_prefix", " He"}, {"answer", "sea"}};
  write_file(folder.file("q.jsonl"), line.dump() + "\n");
  const auto answered = [&](const std::string& policy, const std::string& place) {
    return cli_json({"answer", "--questions", folder.file("q.jsonl"), "--policy", policy, "--ask", place,
                     "--max-new-tokens", "8", "--answers", folder.file(place + ".csv")});
  };
  const auto within = answered("snapkv:40,8", "within");
  const auto behind = answered("snapkv:40,8", "behind");
  CHECK(within["ask"] == "within");
  CHECK(behind["ask"] == "behind");
  const std::int64_t tokens = within["prompt_tokens"];
  CHECK(behind["prompt_tokens"] == tokens);
  CHECK(within["kv_fraction"].get<double>() == doctest::Approx(40.0 / static_cast<double>(tokens)));
  // The question and what its answer begins with are held whole.
  const auto context_tokens =
      cli_json({"generate", "--prompt", context, "--max-new-tokens", "1"})["prompt_tokens"].get<std::int64_t>();
  CHECK(behind["kv_fraction"].get<double>() ==
        doctest::Approx(static_cast<double>(40 + tokens - context_tokens) / static_cast<double>(tokens)));
  // To who drops nothing it is all the same.
  CHECK(answered("full", "within")["kv_fraction"] == 1.0);
  const std::string whole = read_file(folder.file("within.csv"));
  answered("full", "behind");
  CHECK(read_file(folder.file("behind.csv")) == whole);

  write_file(folder.file("plain.jsonl"), R"({"prompt": "a", "answer": "b"})");
  const ProgramResult refused = cli({"answer", "--questions", folder.file("plain.jsonl"), "--ask", "behind"});
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find("line 1 has no \"context\"") != std::string::npos);
  write_file(folder.file("number.jsonl"), R"({"context": 7, "question": "a", "answer": "b"})");
  const ProgramResult number = cli({"answer", "--questions", folder.file("number.jsonl")});
  CHECK(number.exit_code == 3);
  CHECK(number.err.find("its context is no text") != std::string::npos);
}

TEST_CASE("a chat template finds the context's end, or says that it cannot") {
  const TemporaryFolder folder;
  make_chat_demo(folder);
  const auto line = [](const std::string& context) {
    return nlohmann::json{{"context", context}, {"question", " Who is it?"}, {"answer", "x"}}.dump() + "\n";
  };
  write_file(folder.file("q.jsonl"), line("It is the old man who went to the sea again and again, as he always did."));
  const std::vector<std::string> chat{"answer",     "--model",  folder.path().string(), "--chat", "--max-new-tokens",
                                      "4",          "--policy", "snapkv:8,2",           "--ask",  "behind",
                                      "--questions"};
  auto good = chat;
  good.push_back(folder.file("q.jsonl"));
  const auto result = cli_json(good);
  CHECK(result["kv_fraction"].get<double>() > 8.0 / result["prompt_tokens"].get<double>());
}

}  // namespace
}  // namespace natscope::test
