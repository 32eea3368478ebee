// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>

#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "tests/app/cli/export_fixture.h"

namespace natscope::test {

TEST_CASE("another run's cache in the same figure") {
  const TemporaryFolder folder;
  REQUIRE(cli({"trace", "--prompt", "Once upon a time", "--policy", "streaming:2,4", "--out",
               folder.file("other.safetensors")})
              .exit_code == 0);
  const ProgramResult drawn = cli({"export", "--kind", "kv", "--prompt", "Once upon a time", "--compare",
                                   folder.file("other.safetensors"), "--out", folder.file("both.svg")});
  if (drawn.err.find("Qt") != std::string::npos) return;  // a build that draws nothing
  REQUIRE(drawn.exit_code == 0);
  const std::string svg = read_file(folder.file("both.svg"));
  CHECK(svg.find("live, streaming:2,4") != std::string::npos);
  CHECK(svg.find("live, learned roles, W 16") != std::string::npos);
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"--kind", "kv", "--out", folder.file("k.csv")},
        std::vector<std::string>{"--kind", "mask", "--out", folder.file("k.svg")}}) {
    std::vector<std::string> arguments{"export", "--prompt", "Once", "--compare", folder.file("other.safetensors")};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    CHECK(cli(arguments).exit_code == 2);
  }
  CHECK(cli({"export", "--kind", "kv", "--prompt", "Once", "--compare", folder.file("none"), "--out",
             folder.file("k.svg")})
            .exit_code == 3);
}

namespace {

/// The numbers of a figure that the command line writes as json.
nlohmann::json json_of(const std::string& file, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"export", "--out", file});
  const ProgramResult result = cli(arguments);
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  return nlohmann::json::parse(read_file(file));
}

}  // namespace

TEST_CASE("a text by its losses: from a model or a trace, as eval counts them, in every format") {
  const TemporaryFolder folder;
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--out", trace}).exit_code == 0);
  const auto all = json_of(folder.file("model.json"), {"--kind", "text", "--surprise", prompt[0], prompt[1]});
  CHECK(json_of(folder.file("trace.json"), {"--kind", "text", "--surprise", "--from", trace})["values"] ==
        all["values"]);
  write_file(folder.file("text.txt"), prompt[1]);
  REQUIRE(cli({"eval", "--text", folder.file("text.txt"), "--per-token", folder.file("nll.csv")}).exit_code == 0);
  std::istringstream lines(read_file(folder.file("nll.csv")));
  std::string line;
  std::getline(lines, line);
  REQUIRE(all["values"].size() > 5);
  CHECK(all["values"][0]["loss"].is_null());
  for (std::size_t n = 1; n < all["values"].size(); ++n) {
    REQUIRE(std::getline(lines, line));
    // Here of a probability in single precision, there of logits in double.
    const double nll = std::stod(line.substr(line.rfind(',') + 1));
    CHECK(all["values"][n]["loss"].get<double>() == doctest::Approx(nll).epsilon(1e-5));
  }
  for (const char* ending : {"csv", "png", "svg", "pdf"}) {
    CAPTURE(ending);
    const std::string file = folder.file(std::string("text.") + ending);
    const ProgramResult result = export_to(file, {"--kind", "text", "--surprise"});
    if (!draws(result)) continue;
    REQUIRE(result.exit_code == 0);
    const std::string bytes = read_file(file);
    if (file.ends_with("csv")) CHECK(bytes.rfind("position,token,text,loss\n0,", 0) == 0);
    // The picture's origin has the numbers, too, with all their digits.
    if (file.ends_with("svg"))
      CHECK(bytes.find("&quot;losses&quot;: &quot;," + all["values"][1]["loss"].dump()) != std::string::npos);
  }
}

TEST_CASE("losses against another run, as far as both read the same") {
  const TemporaryFolder folder;
  const std::string other = folder.file("other.safetensors");
  const std::string text = prompt[1];
  REQUIRE(
      cli({"trace", "--prompt", text + " Then it rained.", "--policy", "streaming:1,2", "--out", other}).exit_code ==
      0);
  const auto both = json_of(folder.file("both.json"),
                            {"--kind", "text", "--surprise", "--prompt", text + " Then it shone.", "--compare", other});
  const auto theirs = json_of(folder.file("o.json"), {"--kind", "text", "--surprise", "--from", other});
  std::size_t compared = 0;
  bool is_over = false;
  for (std::size_t n = 1; n < both["values"].size(); ++n) {
    const auto& token = both["values"][n];
    is_over = is_over || n >= theirs["values"].size() || token["token"] != theirs["values"][n]["token"];
    CHECK(token["difference"].is_null() == is_over);
    if (is_over) continue;
    ++compared;
    CHECK(token["compared_loss"] == theirs["values"][n]["loss"]);
    CHECK(token["difference"].get<double>() == token["loss"].get<double>() - token["compared_loss"].get<double>());
  }
  CHECK(compared > 5);
  CHECK(is_over);
  CHECK(both["provenance"]["compared_1_policy"] == "streaming:1,2");
  const auto refused = [&](const std::vector<std::string>& more, int code) {
    const ProgramResult result = export_to(folder.file("x.json"), more);
    CHECK(result.exit_code == code);
    CHECK(!std::filesystem::exists(folder.file("x.json")));
    return result.err;
  };
  // Another text, two runs at once, and what colours by something else.
  REQUIRE(cli({"trace", "--tokens", "5,6,7", "--out", folder.file("else.safetensors")}).exit_code == 0);
  refused({"--kind", "text", "--surprise", "--compare", folder.file("else.safetensors")}, 3);
  refused({"--kind", "text", "--surprise", "--compare", other, "--compare", other}, 2);
  refused({"--kind", "text", "--compare", other}, 2);
  refused({"--kind", "text", "--range", "0:4"}, 2);
  refused({"--kind", "text", "--surprise", "--head", "1"}, 2);
  refused({"--kind", "roles", "--surprise"}, 2);
  // A trace of before says so.
  const auto file = SafetensorsFile::open(other);
  REQUIRE(file);
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& tensor : file->tensors()) {
    if (tensor.name != "probability") tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.data, {}});
  }
  REQUIRE(write_safetensors(folder.file("old.safetensors"), tensors, file->metadata()));
  const ProgramResult old = cli({"export", "--kind", "text", "--surprise", "--from", folder.file("old.safetensors"),
                                 "--out", folder.file("x.csv")});
  CHECK(old.exit_code == 3);
  CHECK(old.err.find("losses") != std::string::npos);
  CHECK(
      refused({"--kind", "text", "--surprise", "--compare", folder.file("old.safetensors")}, 3).find("compared run") !=
      std::string::npos);
}

TEST_CASE("which of two caches holds what, against the held tokens of both") {
  const TemporaryFolder folder;
  const std::string other = folder.file("other.safetensors");
  const std::size_t heads = cli_json({"info"})["heads"];
  // H2O's trace says what it dropped, the others' roles do.
  for (const char* policy : {"streaming:1,4", "h2o:3,3"}) {
    CAPTURE(policy);
    REQUIRE(cli({"trace", prompt[0], prompt[1], "--policy", policy, "--out", other}).exit_code == 0);
    const std::vector<std::string> words{"--kind", "roles", prompt[0], prompt[1], "--compare", other};
    const auto map = json_of(folder.file("map.json"), words);
    const auto& layers = map["values"];
    const std::size_t kv_heads = layers[0].size();
    for (std::size_t head = 0; head < layers.size() * kv_heads; head += 7) {  // each costs two runs
      const auto held = [&](const std::string& flag, const std::string& from) {
        return json_of(folder.file("held.json"),
                       {"--kind", "text", "--layer", std::to_string(head / kv_heads), "--head",
                        std::to_string(head % kv_heads * (heads / kv_heads)), flag, from})["values"];
      };
      const auto mine = held(prompt[0], prompt[1]);
      const auto theirs = held("--from", other);
      for (std::size_t n = 0; n < mine.size(); ++n) {
        const bool here = mine[n]["held"];
        const bool there = theirs[n]["held"];
        CHECK(layers[head / kv_heads][head % kv_heads][n] == (here ? there ? 1 : 2 : there ? 3 : 0));
      }
    }
  }
  const ProgramResult of_another = cli({"export", "--kind", "roles", "--prompt", "Quite another text", "--compare",
                                        other, "--out", folder.file("none.csv")});
  CHECK(of_another.exit_code == 3);
  CHECK(of_another.err.find("another text") != std::string::npos);
  CHECK(export_to(folder.file("map.csv"), {"--kind", "roles", "--compare", other}).exit_code == 0);
  CHECK(read_file(folder.file("map.csv")).rfind("layer,kv_head,position,held,compared_held\n0,0,0,1,", 0) == 0);
  CHECK(export_to(folder.file("map.npy"), {"--kind", "roles", "--compare", other}).exit_code == 0);
  CHECK(read_file(folder.file("map.npy")).find("'|u1'") != std::string::npos);
  const ProgramResult drawn = export_to(folder.file("map.svg"), {"--kind", "roles", "--compare", other});
  if (draws(drawn)) CHECK(read_file(folder.file("map.svg")).find("h2o:3,3 only: ") != std::string::npos);
}

}  // namespace natscope::test
