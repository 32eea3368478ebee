// SPDX-License-Identifier: GPL-3.0-or-later
/// convert: a public adapter file becomes an adapter folder, or an error.
#include <doctest/doctest.h>

#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

const std::filesystem::path data = std::filesystem::path(NATSCOPE_TESTS_DIR) / "data";
const std::string base = (data / "hf/llama").string();

std::string torch_file(const std::string& name) { return (data / "torch_adapter" / name).string(); }

}  // namespace

TEST_CASE("convert makes an adapter that other commands take") {
  const TemporaryFolder folder;
  const std::string out = folder.file("adapter");
  const auto made = cli_json({"convert", torch_file("lora_bf16.pth"), "--model", base, "--out", out, "--window", "32"});
  CHECK(made["score_layers"] == 2);
  CHECK(made["lora_rank"] == 2);
  CHECK(made["lora_targets"] == nlohmann::json({"q_proj", "k_proj"}));
  CHECK(made["tensors"] == 10);
  CHECK(made["dtype"] == "BF16");
  const std::string other = folder.file("mixed");
  CHECK(cli_json({"convert", torch_file("mixed.pth"), "--model", base, "--out", other})["dtype"] == "mixed");
  const auto info = cli_json({"info", "--model", base, "--adapter", out});
  CHECK(info["nats"] == true);
  CHECK(info["window"] == 32);
  CHECK(info["global_bias"] == 0.0);
  const auto run =
      cli_json({"generate", "--model", base, "--adapter", out, "--tokens", "1,5,9", "--max-new-tokens", "4"});
  CHECK(run["tokens"].size() <= 4);
}

TEST_CASE("an adapter alone stands on the base that it names") {
  const TemporaryFolder folder;
  const std::string own = folder.file("base");
  const std::string out = folder.file("adapter");
  std::filesystem::copy(base, own);
  REQUIRE(cli({"convert", torch_file("scores_f32.pth"), "--model", own, "--out", out}).exit_code == 0);
  // Without --model it is not put on the demo.
  const auto alone = cli_json({"generate", "--adapter", out, "--tokens", "1,5,9", "--max-new-tokens", "4", "--greedy"});
  const auto both = cli_json(
      {"generate", "--model", own, "--adapter", out, "--tokens", "1,5,9", "--max-new-tokens", "4", "--greedy"});
  CHECK(alone["tokens"] == both["tokens"]);
  CHECK(cli_json({"info", "--adapter", out})["layers"] == cli_json({"info", "--model", own})["layers"]);
  // On another one that fits it works, and somebody is told.
  const ProgramResult other = cli({"info", "--model", base, "--adapter", out});
  CHECK(other.exit_code == 0);
  CHECK(other.err.find("belongs to") != std::string::npos);
  CHECK(cli({"info", "--model", own, "--adapter", out}).err.find("belongs to") == std::string::npos);
  std::filesystem::rename(own, folder.file("elsewhere"));
  const ProgramResult gone = cli({"info", "--adapter", out});
  CHECK(gone.exit_code == 3);
  CHECK(gone.last_error_line().find("is no folder here") != std::string::npos);
}

TEST_CASE("a base whose name JSON cannot hold is refused before there is a folder") {
  const TemporaryFolder folder;
  const std::string odd = folder.file("caf\xe9");
  std::filesystem::create_directory_symlink(base, odd);
  const ProgramResult result =
      cli({"convert", torch_file("scores_f32.pth"), "--model", odd, "--out", folder.file("adapter")});
  CAPTURE(result.err);
  CHECK(result.exit_code == 2);
  CHECK(result.last_error_line().rfind("error: usage: ", 0) == 0);
  CHECK_FALSE(std::filesystem::exists(folder.file("adapter")));
}

TEST_CASE("convert says what is wrong, and leaves nothing") {
  const TemporaryFolder folder;
  const std::string out = folder.file("adapter");
  write_file(folder.file("noise.pth"), "no torch file");
  struct Case {
    std::vector<std::string> arguments;
    int exit_code;
    const char* code;
  };
  const Case cases[] = {
      {{"convert"}, 2, "usage"},
      {{"convert", torch_file("scores_f32.pth"), "--model", base}, 2, "usage"},
      {{"convert", torch_file("scores_f32.pth"), "--model", base, "--out", out, "--window", "-1"}, 2, "usage"},
      {{"convert", torch_file("scores_f32.pth"), "--model", base, "--out", out, "--lora-alpha", "nan"}, 2, "usage"},
      {{"convert", folder.file("nowhere.pth"), "--model", base, "--out", out}, 3, "file-not-found"},
      {{"convert", folder.path().string(), "--model", base, "--out", out}, 3, "not-a-regular-file"},
      {{"convert", folder.file("noise.pth"), "--model", base, "--out", out}, 3, "bad-adapter"},
      {{"convert", torch_file("bad_state_dict.pth"), "--model", base, "--out", out}, 3, "bad-adapter"},
      {{"convert", torch_file("bad_shared.pth"), "--model", base, "--out", out}, 3, "bad-adapter"},
      {{"convert", torch_file("scores_f32.pth"), "--model", base, "--out", folder.path().string()}, 2, "usage"},
      {{"convert", torch_file("scores_f32.pth"), "--model", folder.file("nowhere"), "--out", out}, 3, "file-not-found"},
  };
  for (const Case& wrong : cases) {
    const ProgramResult result = cli(wrong.arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == wrong.exit_code);
    CHECK(result.error_lines() == 1);
    CHECK(result.last_error_line().rfind(std::string("error: ") + wrong.code + ": ", 0) == 0);
    CHECK(result.out.empty());
    CHECK(folder.names() == std::vector<std::string>{"noise.pth"});
  }
}

}  // namespace natscope::test
