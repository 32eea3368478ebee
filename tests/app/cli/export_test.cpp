// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/app/cli/export_fixture.h"

namespace natscope::test {

TEST_CASE("maps, roles and the KV curve in every format") {
  const TemporaryFolder folder;
  for (const char* kind : {"attention", "mask", "roles", "kv"}) {
    for (const char* ending : {"npy", "csv", "json", "png", "svg", "pdf"}) {
      CAPTURE(kind);
      CAPTURE(ending);
      const std::string file = folder.file(std::string(kind) + "." + ending);
      const ProgramResult result = export_to(file, {"--kind", kind, "--layer", "1", "--head", "2"});
      CAPTURE(result.err);
      REQUIRE(result.exit_code == 0);
      const std::string bytes = read_file(file);
      const std::string name = ending;
      if (name == "npy") CHECK(bytes.rfind("\x93NUMPY", 0) == 0);
      if (name == "png") CHECK(bytes.rfind("\x89PNG", 0) == 0);
      if (name == "pdf") CHECK(bytes.rfind("%PDF", 0) == 0);
      if (name == "svg") CHECK(bytes.find("<metadata") != std::string::npos);
      if (name == "json") CHECK(nlohmann::json::parse(bytes).contains("provenance"));
      if (name == "npy" || name == "csv")
        CHECK(nlohmann::json::parse(read_file(file + ".json")).contains("model_sha256"));
    }
  }
}

TEST_CASE("a title, a size of texts and names of one's own") {
  const TemporaryFolder folder;
  const std::string file = folder.file("x.svg");
  const auto svg_of = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--kind", "roles"});
    const ProgramResult result = export_to(file, more);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return read_file(file);
  };
  CHECK(svg_of({}).find("Token roles by layer") != std::string::npos);
  const std::string titled = svg_of({"--title", "What a story keeps"});
  CHECK(titled.find(">What a story keeps<") != std::string::npos);
  CHECK(titled.find("Token roles by layer") == std::string::npos);
  CHECK(svg_of({"--title", ""}).find("Token roles by layer") == std::string::npos);
  CHECK(svg_of({"--font-size", "12"}) != svg_of({}));
  CHECK(svg_of({"--font-size", "8"}) == svg_of({}));
  for (const char* size : {"3", "25", "nan", "x"})
    CHECK(export_to(file, {"--kind", "roles", "--font-size", size}).exit_code == 2);
  CHECK(export_to(file, {"--kind", "roles", "--label", "Ours"}).exit_code == 2);  // nothing is compared
  CHECK(export_to(file, {"--kind", "roles", "--title", "\xff"}).exit_code == 2);
  CHECK(export_to(file, {"--kind", "attention", "--width", "60mm", "--font-size", "24"}).exit_code == 2);

  const std::string other = folder.file("other.safetensors");
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--policy", "streaming:2,4", "--out", other}).exit_code == 0);
  for (const char* kind : {"roles", "kv"}) {
    const std::vector<std::string> compared{"--kind", kind, "--compare", other, "--label", "Ours", "--label", "Theirs"};
    REQUIRE(export_to(file, compared).exit_code == 0);
    CHECK(read_file(file).find("Theirs") != std::string::npos);
    CHECK(read_file(file).find("Ours") != std::string::npos);
    std::vector<std::string> one_more = compared;
    one_more.insert(one_more.end(), {"--label", "Nobody's"});
    CHECK(export_to(file, one_more).exit_code == 2);
  }
}

TEST_CASE("a map with more cells than pixels says so") {
  const TemporaryFolder folder;
  std::string tokens = "0";
  for (int i = 1; i < 48; ++i) tokens += "," + std::to_string(3 + i);
  const auto err_of = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"export", "--kind", "roles", "--tokens", tokens, "--width", "40mm", "--out",
                               folder.file("x.png"), "--dpi"});
    const ProgramResult result = cli(more);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return result.err;
  };
  CHECK(err_of({"36"}).find("tokens a column") != std::string::npos);
  CHECK(err_of({"300"}).find("tokens a column") == std::string::npos);
}

TEST_CASE("a header line of csv, and numbers that read back") {
  const TemporaryFolder folder;
  REQUIRE(export_to(folder.file("map.csv"), {"--kind", "attention", "--queries", "0:3", "--keys", "0:3"}).exit_code ==
          0);
  CHECK(read_file(folder.file("map.csv")).rfind("query,0,1,2\n", 0) == 0);
  REQUIRE(export_to(folder.file("roles.csv"), {"--kind", "roles"}).exit_code == 0);
  CHECK(read_file(folder.file("roles.csv")).rfind("layer,kv_head,position,role\n", 0) == 0);
  REQUIRE(export_to(folder.file("kv.csv"), {"--kind", "kv"}).exit_code == 0);
  CHECK(read_file(folder.file("kv.csv")).rfind("step,layer,kv_head,entries\n", 0) == 0);
}

TEST_CASE("flags of a run beside a file of one are refused by name, flags of another kind too") {
  const TemporaryFolder folder;
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--attention", "0.0", "--out", trace}).exit_code == 0);
  const auto from_trace = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"export", "--from", trace, "--out", folder.file("x.json")});
    return cli(more);
  };
  const std::vector<std::vector<std::string>> of_a_run{{"--policy", "full"},
                                                       {"--adapter", "a"},
                                                       {"--model", "m"},
                                                       {"--force", "0.0.1=G"},
                                                       {"--roles", "r"},
                                                       {"--window", "4"},
                                                       {"--max-new-tokens", "0"},
                                                       {"--greedy"},
                                                       {"--temperature", "0.5"},
                                                       {"--top-k", "3"},
                                                       {"--top-p", "0.5"},
                                                       {"--min-p", "0.1"},
                                                       {"--repetition-penalty", "1.1"},
                                                       {"--chunk", "8"},
                                                       {"--seed", "1"},
                                                       {"--dtype", "float32"},
                                                       {"--device", "cpu"}};
  for (const auto& flag : of_a_run) {
    std::vector<std::string> words{"--kind", "kv"};
    words.insert(words.end(), flag.begin(), flag.end());
    const ProgramResult result = from_trace(words);
    CAPTURE(flag[0]);
    CHECK(result.exit_code == 2);
    CHECK(result.err.find(flag[0]) != std::string::npos);
    CHECK(!std::filesystem::exists(folder.file("x.json")));
  }
  CHECK(from_trace({"--kind", "kv", "--threads", "1"}).exit_code == 0);

  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--kind", "kv", "--clip", "99"},
                                                {"--kind", "kv", "--hide-sink"},
                                                {"--kind", "roles", "--scale", "log"},
                                                {"--kind", "mask", "--normalise", "row"},
                                                {"--kind", "roles", "--colours", "magma"},
                                                {"--kind", "kv", "--axes", "tokens"},
                                                {"--kind", "heads", "--compare", trace}}) {
    const ProgramResult result = from_trace(wrong);
    CAPTURE(wrong[2]);
    CHECK(result.exit_code == 2);
    CHECK(result.err.find(wrong[2]) != std::string::npos);
  }
  // Defaults say nothing, and a layer that is not needed is remarked.
  CHECK(from_trace({"--kind", "roles", "--clip", "100", "--scale", "linear", "--axes", "auto"}).exit_code == 0);
  const ProgramResult needless = from_trace({"--kind", "roles", "--layer", "0"});
  CHECK(needless.exit_code == 0);
  CHECK(needless.err.find("--layer") != std::string::npos);
}

TEST_CASE("csv and json go to standard output, a pipe and a descriptor, whole and with nothing else") {
  const TemporaryFolder folder;
  for (const char* format : {"csv", "json"}) {
    const std::string file = folder.file(std::string("kv.") + format);
    REQUIRE(export_to(file, {"--kind", "kv"}).exit_code == 0);
    const std::string expected = read_file(file);
    for (const char* out : {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
      CAPTURE(out);
      const ProgramResult piped = export_to(out, {"--kind", "kv", "--format", format});
      CHECK(piped.exit_code == 0);
      CHECK(piped.out == expected);
    }
    // A file behind it is gone on with.
    const std::string log = folder.file("log");
    write_file(log, "");
    std::vector<std::string> words{"export", "--kind", "kv", "--format", format, "--out", "/dev/stdout"};
    words.insert(words.end(), prompt.begin(), prompt.end());
    CHECK(cli(words, {.input = {}, .out_file = log}).exit_code == 0);
    CHECK(read_file(log) == expected);
    std::filesystem::remove(log);
  }
  CHECK(export_to("/dev/null", {"--kind", "kv", "--format", "csv"}).exit_code == 0);
  CHECK(export_to("/dev/full", {"--kind", "kv", "--format", "csv"}).exit_code != 0);
  const ProgramResult full = cli({"export", "--prompt", "The lamp", "--kind", "kv", "--out", "-", "--format", "csv"},
                                 {.input = {}, .out_file = "/dev/full"});
  CHECK(full.last_error_line().rfind("error: io-failure: ", 0) == 0);
  CHECK(!std::filesystem::exists("-.json"));
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--kind", "kv"},
                                                {"--kind", "kv", "--format", "png"},
                                                {"--kind", "kv", "--format", "npy"},
                                                {"--kind", "overview", "--format", "csv"},
                                                {"--kind", "kv", "--format", "csv", "--json"}}) {
    const ProgramResult result = export_to("-", wrong);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
  }
  CHECK(export_to(folder.file("kv.csv"), {"--kind", "kv", "--format", "json"}).exit_code == 2);
  CHECK(export_to(folder.file("kv.csv"), {"--kind", "kv", "--format", "csv"}).exit_code == 0);
}

}  // namespace natscope::test
