// SPDX-License-Identifier: GPL-3.0-or-later
/// What train says of flags and folders, and info of a model that was trained under a fixed mask.
#include <doctest/doctest.h>

#include <fstream>

#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

const std::string base = (std::filesystem::path(NATSCOPE_TESTS_DIR) / "data/hf/llama").string();

}  // namespace

TEST_CASE("info says under which mask a model was trained") {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  const fs::path model = folder.path() / "model";
  fs::create_directory(model);
  for (const auto& entry : fs::directory_iterator(base)) {
    if (entry.path().filename() != "config.json" && entry.path().filename() != "logits.safetensors")
      fs::copy_file(entry.path(), model / entry.path().filename());
  }
  auto config = nlohmann::json::parse(std::ifstream(fs::path(base) / "config.json"));
  CHECK(cli_json({"info", "--model", base})["training_policy"].is_null());
  for (const auto& [block, shown] : std::vector<std::pair<nlohmann::json, nlohmann::json>>{
           {{{"training_policy", "streaming:2,64"}}, "streaming:2,64"},
           {{{"training_policy", "\x1b[2J no policy"}}, nullptr},
           {{{"training_policy", 7}}, nullptr},
           {"no object", nullptr}}) {
    config["natscope"] = block;
    write_file((model / "config.json").string(), config.dump());
    CHECK(cli_json({"info", "--model", model.string()})["training_policy"] == shown);
  }
  config["natscope"] = {{"training_policy", "window:64"}};
  write_file((model / "config.json").string(), config.dump());
  const ProgramResult text = cli({"info", "--model", model.string()});
  CHECK(text.out.find("--policy window:64") != std::string::npos);
}

TEST_CASE("a seed is a whole number, whatever is trained") {
  for (const char* const command : {"train", "finetune"}) {
    for (const char* const seed : {"-1", "1.5", "18446744073709551616"}) {
      const ProgramResult refused = cli({command, "--data", "text", "--seed", seed});
      CHECK(refused.exit_code == 2);
      CHECK(refused.err.find("whole number") != std::string::npos);
    }
  }
}

TEST_CASE("a resumed run says which flags it ignores, and a failed start leaves the folder free") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("text"));
  write_file(folder.file("text/notes.md"), "not read");
  write_file(folder.file("bad.model"), "no tokenizer");
  std::string words;
  for (int i = 0; i < 900; ++i) words += i % 3 == 0 ? "abc de\n" : i % 3 == 1 ? "a bad cab\n" : "ed bed ace\n";
  write_file(folder.file("text/a.txt"), words);
  const std::string job = folder.file("job");
  std::vector<std::string> train{"train",   "--data",    folder.file("text"),
                                 "--out",   job,         "--layers",
                                 "1",       "--hidden",  "16",
                                 "--heads", "2",         "--kv-heads",
                                 "1",       "--context", "16",
                                 "--batch", "2",         "--steps",
                                 "2",       "--threads", "1"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = train;
    all.insert(all.end(), more.begin(), more.end());
    return cli(all);
  };
  const ProgramResult failed = with({"--tokenizer", folder.file("bad.model")});
  CHECK(failed.exit_code == 3);
  const std::string good = (std::filesystem::path(NATSCOPE_RESOURCE_DIR) / "demo/tokenizer.model").string();
  const ProgramResult begun = with({"--tokenizer", good});
  CAPTURE(begun.err);
  CHECK(begun.exit_code == 0);
  CHECK(begun.err.find("1 file *.txt") != std::string::npos);
  CHECK(with({"--tokenizer", good}).exit_code == 2);

  const ProgramResult resumed = cli({"train", "--out", job, "--resume", "--lr", "0.5", "--steps", "9"});
  CAPTURE(resumed.err);
  CHECK(resumed.exit_code == 0);
  CHECK(resumed.err.find("ignored: --steps, --lr") != std::string::npos);
  CHECK(cli({"train", "--out", job, "--resume"}).err.find("ignored") == std::string::npos);
  // A folder that was moved is where its model goes.
  const std::string moved = folder.file("moved");
  std::filesystem::rename(job, moved);
  CHECK(cli({"train", "--out", moved, "--resume"}).exit_code == 0);
  CHECK_FALSE(std::filesystem::exists(job));
}

TEST_CASE("the JSON of a run that evaluated lists its heads by layers, of the model that was trained") {
  const TemporaryFolder folder;
  const std::string text = folder.file("documents.jsonl");
  write_file(text, "{\"text\": \"abc de a bad cab ed bed ace abc de a bad cab\"}\n");
  const std::vector<std::string> tune{
      "finetune", "--model", base,       "--data", text, "--valid", text, "--out", folder.file("adapter"),
      "--steps",  "1",       "--window", "2"};
  const nlohmann::json tuned = cli_json(tune);
  const nlohmann::json info = cli_json({"info", "--model", base});
  REQUIRE(tuned["evaluation"]["heads"].size() == info["layers"]);
  CHECK(tuned["evaluation"]["heads"][0].size() == info["kv_heads"]);

  write_file(folder.file("a.txt"), std::string(600, 'a') + " bed ace");
  const std::string job = folder.file("job");
  const std::string tokenizer = (std::filesystem::path(NATSCOPE_RESOURCE_DIR) / "demo/tokenizer.model").string();
  std::vector<std::string> train{"train",
                                 "--data",
                                 folder.file("a.txt"),
                                 "--valid",
                                 folder.file("a.txt"),
                                 "--tokenizer",
                                 tokenizer,
                                 "--out",
                                 job,
                                 "--layers",
                                 "2",
                                 "--hidden",
                                 "16",
                                 "--heads",
                                 "2",
                                 "--kv-heads",
                                 "1",
                                 "--context",
                                 "16",
                                 "--batch",
                                 "1",
                                 "--steps",
                                 "1"};
  const auto heads_of = [](const nlohmann::json& result) {
    std::vector<std::size_t> sizes;
    for (const auto& layer : result["evaluation"]["heads"]) sizes.push_back(layer.size());
    return sizes;
  };
  CHECK(heads_of(cli_json(train)) == std::vector<std::size_t>{1, 1});
  // Without its checkpoints the run begins again; its flags, --kv-heads too, are those that it was begun with.
  std::filesystem::remove_all(job + "/checkpoints");
  CHECK(heads_of(cli_json({"train", "--out", job, "--resume"})) == std::vector<std::size_t>{1, 1});
}

TEST_CASE("a folder whose name spec.json cannot hold is wrong usage, not a defect") {
  const TemporaryFolder folder;
  const std::string text = folder.file("a.txt");
  write_file(text, std::string(600, 'a') + " bed ace");
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--detach", "--no-start"}}) {
    std::vector<std::string> train{"train", "--data", text, "--steps", "1", "--out", folder.file("caf\xe9")};
    train.insert(train.end(), more.begin(), more.end());
    const ProgramResult result = cli(train);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.last_error_line().find("not UTF-8") != std::string::npos);
    CHECK(!std::filesystem::exists(folder.file("caf\xe9")));
  }
}

TEST_CASE("what the trainer would refuse is refused before there is a folder") {
  const TemporaryFolder folder;
  const std::string text = folder.file("a.txt");
  write_file(text, std::string(600, 'a') + " bed ace");
  const auto tune = [&](const std::string& flag) {
    return cli({"finetune", "--model", base, "--data", text, "--out", folder.file("out"), "--steps", "1", flag});
  };
  for (const char* const flag : {"--seed=-1", "--seed=99999999999999999999", "--length=1", "--name=x"}) {
    CAPTURE(flag);
    CHECK(tune(flag).exit_code == 2);
  }
  const std::string described = folder.file("described");
  const ProgramResult job =
      cli({"finetune", "--model", base, "--data", text, "--job", described, "--steps", "5", "--detach", "--no-start"});
  CAPTURE(job.err);
  REQUIRE(job.exit_code == 0);
  for (const char* const change : {"steps=-1", "lora_alpha=0", "lora_targets=gate_proj", "device=abacus", "seed=-3"}) {
    CAPTURE(change);
    const ProgramResult changed = cli({"jobs", "duplicate", described, folder.file("out"), "--set", change});
    CHECK(changed.exit_code == 2);
    CHECK(changed.err.find("spec.json") == std::string::npos);
  }
  CHECK(cli({"jobs", "duplicate", described, folder.file("out"), "--set", "data=/no/such/text"}).exit_code == 3);
  CHECK(tune("--lora=q").exit_code == 0);
  std::filesystem::remove_all(folder.file("out"));
  CHECK(cli({"finetune", "--model", base, "--data", text, "--out", folder.file("out"), "--train", "scores", "--lora",
             "q"})
            .exit_code == 2);
  // A job that could only fail is no job.
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--tokenizer", "/no/such/file"},
                                               {"--init", "/no/such/model"},
                                               {"--ranks", "3", "--batch", "8"},
                                               {"--out", described}}) {
    CAPTURE(more[0]);
    std::vector<std::string> train{"train", "--data", text, "--job", folder.file("job"), "--detach", "--no-start"};
    train.insert(train.end(), more.begin(), more.end());
    CHECK(cli(train).exit_code >= 2);
  }
  CHECK(folder.names() == std::vector<std::string>{"a.txt", "described"});
  CHECK(cli({"jobs", "duplicate", described, folder.file("out"), "--set", "steps=9"}).exit_code == 0);
  // Without a base, the demo's twin.
  CHECK(cli_json({"finetune", "--data", text, "--length", "64", "--forecast"})["tokens"] == 64);
  // A model that cannot be the base is bad input, not wrong usage.
  CHECK(cli({"reproduce", "finetune", "--model", (std::filesystem::path(NATSCOPE_RESOURCE_DIR) / "demo").string(),
             "--data", text, "--test", text, "--out", folder.file("study")})
            .exit_code == 3);
}

}  // namespace natscope::test
