// SPDX-License-Identifier: GPL-3.0-or-later
/// --then: a text behind an answer goes on from the same cache, wherever a prompt can be given.
#include <doctest/doctest.h>

#include <numeric>

#include "core/io/safetensors.h"
#include "core/session/trace_file.h"
#include "tests/app/cli/cli_program.h"
#include "tests/support/temporary_folder.h"

namespace natscope::test {
namespace {

using Tokens = std::vector<std::int32_t>;

const std::vector<std::string> talk{"--prompt", "The old man looked at the sea and",
                                    "--then",   " again, and",
                                    "--then",   "\n\nShe",
                                    "--greedy", "--max-new-tokens",
                                    "9"};

std::vector<std::string> command(const std::string& name, std::vector<std::string> more = {}) {
  std::vector<std::string> all{name};
  all.insert(all.end(), talk.begin(), talk.end());
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TraceFile traced(const TemporaryFolder& folder, const std::string& name, std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--out", folder.file(name)});
  const ProgramResult result = cli(arguments);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  auto trace = TraceFile::open(folder.file(name));
  if (!trace) FAIL(format_error_line(trace.error()));
  return *std::move(trace);
}

std::string joined(const Tokens& tokens) {
  std::string text;
  for (const std::int32_t token : tokens) text += (text.empty() ? "" : ",") + std::to_string(token);
  return text;
}

Tokens part(const Tokens& tokens, std::int64_t first, std::int64_t end) {
  return {tokens.begin() + first, tokens.begin() + end};
}

}  // namespace

TEST_CASE("each answer is reported, and the last one is the result") {
  const auto result = cli_json(command("generate"));
  REQUIRE(result["turns"].size() == 3);
  const auto& last = result["turns"][2];
  for (const char* const field : {"text", "tokens", "prompt_tokens", "stop_reason", "kv"}) {
    CAPTURE(field);
    CHECK(result[field] == last[field]);
  }
  std::int64_t before = 0;
  std::string texts;
  for (const auto& turn : result["turns"]) {
    CHECK(turn["tokens"].size() == 9);
    CHECK(turn["prompt_tokens"] > before);
    before = turn["prompt_tokens"].get<std::int64_t>() + 9;
    texts += (texts.empty() ? "" : "\n") + turn["text"].get<std::string>() + "\n";
  }
  // The first is what the prompt alone gives.
  const auto alone = cli_json({"generate", "--prompt", talk[1], "--greedy", "--max-new-tokens", "9"});
  CHECK(!alone.contains("turns"));
  for (const char* const field : {"text", "tokens", "prompt_tokens", "kv"})
    CHECK(alone[field] == result["turns"][0][field]);
  const ProgramResult plain = cli(command("generate"));
  CHECK(plain.out == texts);
  CHECK(plain.err.empty());
  // Each with its table.
  const std::string live = cli(command("generate", {"--live"})).err;
  std::size_t tables = 0;
  for (std::size_t at = live.find("allocated"); at != std::string::npos; at = live.find("allocated", at + 1)) ++tables;
  CHECK(tables == 3);
}

TEST_CASE(
    "a trace of it is that of its tokens: the texts come behind the answers, and what stood before the last is the "
    "prompt") {
  const TemporaryFolder folder;
  const auto result = cli_json(command("generate"));
  const TraceFile trace = traced(folder, "talk.safetensors", command("trace"));
  const Tokens tokens = trace.tokens();
  CHECK(trace.prompt_tokens() == result["prompt_tokens"].get<std::int64_t>());
  std::int64_t end = 0;
  for (const auto& turn : result["turns"]) {
    const auto begin = turn["prompt_tokens"].get<std::int64_t>();
    end = begin + 9;
    REQUIRE(end <= std::ssize(tokens));
    CHECK(part(tokens, begin, end) == turn["tokens"].get<Tokens>());
  }
  CHECK(end == std::ssize(tokens));
  // Where it goes on nothing comes in between, not even a blank.
  const std::vector<std::string> texts = trace.token_texts();
  const std::string all = std::accumulate(texts.begin(), texts.end(), std::string());
  CHECK(all == talk[1] + result["turns"][0]["text"].get<std::string>() + talk[3] +
                   result["turns"][1]["text"].get<std::string>() + talk[5] +
                   result["turns"][2]["text"].get<std::string>());
  // Given as tokens, the same comes out, under the same digest.
  const std::int64_t given = *trace.prompt_tokens();
  const TraceFile again =
      traced(folder, "again.safetensors",
             {"trace", "--tokens", joined(part(tokens, 0, given)), "--greedy", "--max-new-tokens", "9"});
  CHECK(again.tokens() == tokens);
  CHECK(again.roles() == trace.roles());
  CHECK(again.provenance().prompt_sha256 == trace.provenance().prompt_sha256);
  CHECK(again.prompt_tokens() == trace.prompt_tokens());
  // So it can be drawn.
  CHECK(cli(command("export", {"--kind", "roles", "--out", folder.file("roles.csv")})).exit_code == 0);
}

TEST_CASE("with --chat each is a turn, with the marks that the template has between them") {
  const TemporaryFolder folder;
  make_chat_demo(folder);
  const TraceFile trace = traced(folder, "chat.safetensors",
                                 {"trace", "--model", folder.path().string(), "--chat", "--prompt", "Who are you?",
                                  "--then", "And why?", "--greedy", "--max-new-tokens", "5"});
  const std::vector<std::string> texts = trace.token_texts();
  const std::string all = std::accumulate(texts.begin(), texts.end(), std::string());
  CHECK(all.starts_with("user: Who are you?\nanswer:"));
  CHECK(all.find("\nuser: And why?\nanswer:") != std::string::npos);
}

TEST_CASE("roles of a file hold for all of it, and need be no longer than it") {
  const TemporaryFolder folder;
  const TraceFile trace = traced(folder, "talk.safetensors", command("trace"));
  const TraceFile again =
      traced(folder, "again.safetensors", command("trace", {"--roles", folder.file("talk.safetensors")}));
  CHECK(again.tokens() == trace.tokens());
  CHECK(again.roles() == trace.roles());
}

TEST_CASE("what is wrong with one is found before anything is written, where it can be") {
  CHECK(cli(command("generate", {"--then", ""})).exit_code == 3);
  CHECK(cli(command("generate", {"--then", ""})).out.empty());
  const ProgramResult broken = cli(command("generate", {"--then", "\xff"}));
  CHECK(broken.exit_code == 3);
  CHECK(broken.out.empty());
  CHECK(cli({"generate", "--then", "a"}).exit_code == 2);
  CHECK(cli({"export", "--kind", "kv", "--from", "x", "--then", "a", "--out", "x.csv"}).exit_code == 2);
  std::string book;
  for (int i = 0; i < 3000; ++i) book += "word ";
  const ProgramResult full = cli({"generate", "--prompt", "a", "--greedy", "--max-new-tokens", "3", "--then", book});
  CHECK(full.exit_code == 3);
  CHECK(full.err.find("context holds 1,024") != std::string::npos);
  CHECK(full.out.empty());
}

TEST_CASE("a context that fills on the way loses no answer") {
  std::string ids = "1";
  for (int i = 0; i < 999; ++i) ids += "," + std::to_string(300 + i % 50);
  const ProgramResult full =
      cli({"generate", "--tokens", ids, "--then", " and then", "--greedy", "--max-new-tokens", "50", "--json"});
  CHECK(full.exit_code == 3);
  CHECK(full.err.find("prompt-too-long") != std::string::npos);
  const auto result = nlohmann::json::parse(full.out);
  CHECK(result["stop_reason"] == "context_full");
  CHECK(result["tokens"].size() == 24);
  REQUIRE(result["turns"].size() == 1);  // of a conversation there are turns, however few
  CHECK(result["turns"][0]["tokens"] == result["tokens"]);
}

}  // namespace natscope::test
