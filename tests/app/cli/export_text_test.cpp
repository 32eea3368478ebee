// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "tests/app/cli/export_fixture.h"

namespace natscope::test {

TEST_CASE("a text in every format but npy, from a model or its trace") {
  const TemporaryFolder folder;
  for (const char* ending : {"csv", "json", "png", "svg", "pdf"}) {
    CAPTURE(ending);
    const std::string file = folder.file(std::string("text.") + ending);
    CHECK(export_to(file, {"--kind", "text"}).exit_code == 0);
    CHECK(read_file(file).size() > 200);
  }
  CHECK(export_to(folder.file("text.npy"), {"--kind", "text"}).exit_code == 2);

  const auto read = [&](const std::vector<std::string>& more) {
    const std::string file = folder.file("again.json");
    std::vector<std::string> words{"export", "--kind", "text", "--out", file};
    words.insert(words.end(), more.begin(), more.end());
    const ProgramResult result = cli(words);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return nlohmann::json::parse(read_file(file));
  };
  const std::string trace = folder.file("run.safetensors");
  REQUIRE(cli({"trace", "--prompt", "Alice was beginning to get very tired", "--out", trace}).exit_code == 0);
  const auto of_model =
      read({"--prompt", "Alice was beginning to get very tired", "--layer", "3", "--head", "5", "--keys", "1:6"});
  const auto of_trace = read({"--from", trace, "--layer", "3", "--head", "5", "--keys", "1:6"});
  REQUIRE(of_model["values"].size() == 5);
  CHECK(of_model["keys"] == nlohmann::json{1, 2, 3, 4, 5});
  CHECK(of_model["values"][0]["text"] == "Alice");
  for (std::size_t i = 0; i < 5; ++i) {
    for (const char* field : {"token", "text", "role", "held", "held_share"})
      CHECK(of_model["values"][i][field] == of_trace["values"][i][field]);
  }
  // Roles are the contract's own.
  const auto file = SafetensorsFile::open(trace);
  REQUIRE(file);
  const TensorInfo* roles = file->find("roles");
  const auto length = static_cast<std::size_t>(roles->shape[2]);
  const std::size_t row = 3 * static_cast<std::size_t>(roles->shape[1]) + 5 / 2;
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(of_model["values"][i]["role"] == static_cast<int>(roles->data[row * length + i + 1]));
  CHECK(read({"--from", trace})["layer"].is_null());
  CHECK(cli({"export", "--kind", "text", "--from", trace, "--layer", "99", "--out", folder.file("x.csv")}).exit_code ==
        3);
  CHECK(
      cli({"export", "--kind", "text", "--from", trace, "--keys", "3:999", "--out", folder.file("x.csv")}).exit_code ==
      3);
}

TEST_CASE("under H2O a trace tells the same as the model: what is held, and by whom") {
  const TemporaryFolder folder;
  const std::string text = "The lamp went out, and the room was quiet, and nobody in the house said a word about it.";
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", "--prompt", text, "--policy", "h2o:4,4", "--max-new-tokens", "6", "--greedy", "--out", trace})
              .exit_code == 0);
  const auto values = [&](std::vector<std::string> more) {
    const std::string file = folder.file("again.json");
    more.insert(more.begin(), {"export", "--out", file});
    const ProgramResult result = cli(more);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return nlohmann::json::parse(read_file(file))["values"];
  };
  for (const std::vector<std::string>& kind :
       {std::vector<std::string>{"--kind", "text", "--layer", "1", "--head", "2"},
        {"--kind", "mask", "--layer", "3", "--head", "0"},
        {"--kind", "text"},
        {"--kind", "roles"},
        {"--kind", "heads"},
        {"--kind", "kv"}}) {
    std::vector<std::string> from_trace = kind;
    from_trace.insert(from_trace.end(), {"--from", trace});
    std::vector<std::string> from_model = kind;
    from_model.insert(from_model.end(), {"--prompt", text, "--policy", "h2o:4,4", "--max-new-tokens", "6", "--greedy"});
    const auto read = values(from_trace);
    const auto made = values(from_model);
    CHECK(read == made);
    if (kind.size() == 6 && kind[1] == "text") {
      int held = 0;
      for (const auto& token : read) held += token["held"] == true ? 1 : 0;
      CHECK(held == 8);
    }
  }
  // What is held stands in roles, too, which are none.
  const std::string roles = folder.file("roles.csv");
  REQUIRE(cli({"export", "--kind", "roles", "--from", trace, "--out", roles}).exit_code == 0);
  const std::string csv = read_file(roles);
  CHECK(csv.rfind("layer,kv_head,position,role,held\n", 0) == 0);
  std::size_t held = 0;
  for (std::size_t at = csv.find(",0,1\n"); at != std::string::npos; at = csv.find(",0,1\n", at + 1)) ++held;
  const auto info = cli_json({"info"});
  CHECK(held == 8 * info["layers"].get<std::size_t>() * info["kv_heads"].get<std::size_t>());
}

TEST_CASE("a trace has its tokens' texts for axes, and one without them says what stands there instead") {
  const TemporaryFolder folder;
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", "--tokens", "1,262,372,400", "--attention", "0.0", "--out", trace}).exit_code == 0);
  const auto draw = [&](const std::string& from) {
    return cli({"export", "--kind", "attention", "--axes", "tokens", "--from", from, "--out", folder.file("map.svg")});
  };
  const ProgramResult drawn = draw(trace);
  if (drawn.err.find("Qt") != std::string::npos) return;  // a build that draws nothing
  REQUIRE(drawn.exit_code == 0);
  CHECK(drawn.err.find("positions") == std::string::npos);
  CHECK(read_file(folder.file("map.svg")).find("&lt;s&gt;") != std::string::npos);

  const auto file = SafetensorsFile::open(trace);
  REQUIRE(file);
  auto metadata = file->metadata();
  CHECK(nlohmann::json::parse(metadata["token_texts"]).size() == 4);
  metadata.erase("token_texts");
  std::vector<TensorToWrite> tensors;
  for (const TensorInfo& tensor : file->tensors())
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.data, {}});
  REQUIRE(write_safetensors(folder.file("old.safetensors"), tensors, metadata));
  const ProgramResult old = draw(folder.file("old.safetensors"));
  CHECK(old.exit_code == 0);
  CHECK(old.err.find("positions") != std::string::npos);
}

}  // namespace natscope::test
