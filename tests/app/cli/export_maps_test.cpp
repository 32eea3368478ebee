// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/io/safetensors.h"
#include "tests/app/cli/export_fixture.h"

namespace natscope::test {

TEST_CASE("a part of a map is the part of the whole, and a trace gives the same as the model") {
  const TemporaryFolder folder;
  const auto values = [&](const std::string& file, const std::vector<std::string>& more) {
    std::vector<std::string> all{"--kind", "attention", "--layer", "1", "--head", "1"};
    all.insert(all.end(), more.begin(), more.end());
    REQUIRE(export_to(file, all).exit_code == 0);
    return nlohmann::json::parse(read_file(file))["values"];
  };
  const auto whole = values(folder.file("whole.json"), {});
  const auto part = values(folder.file("part.json"), {"--queries", "3:6", "--keys", "1:4"});
  for (std::size_t m = 0; m < 3; ++m) {
    for (std::size_t n = 0; n < 3; ++n) {
      CHECK(part[m][n].get<double>() == doctest::Approx(whole[m + 3][n + 1].get<double>()).epsilon(1e-6));
    }
  }
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--attention", "1.1", "--out", folder.file("t.safetensors")}).exit_code ==
          0);
  REQUIRE(cli({"export", "--kind", "attention", "--layer", "1", "--head", "1", "--from", folder.file("t.safetensors"),
               "--out", folder.file("traced.json")})
              .exit_code == 0);
  CHECK(nlohmann::json::parse(read_file(folder.file("traced.json")))["values"] == whole);
}

TEST_CASE("the maps of all heads are those of a trace, put together cell by cell") {
  const TemporaryFolder folder;
  // Long enough for cells of 2 x 2 weights, and no multiple of two.
  std::string text;
  for (int i = 0; i < 45; ++i) text += "The lamp went out in room " + std::to_string(i * 37 % 101) + ". ";
  const std::vector<std::string> long_prompt{"--prompt", text};
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", "--prompt", text, "--attention", "all", "--out", trace}).exit_code == 0);
  const auto file = SafetensorsFile::open(trace);
  REQUIRE(file);
  const TensorInfo* const tensor = file->find("attention");
  const TensorInfo* const mask = file->find("visible");
  REQUIRE(tensor != nullptr);
  REQUIRE(mask != nullptr);
  const auto maps = static_cast<std::size_t>(tensor->shape[0]);
  const auto length = static_cast<std::size_t>(tensor->shape[1]);
  REQUIRE(length > 256);
  std::size_t cell = 1;
  while (256 * cell < length) cell *= 2;
  const std::size_t side = (length + cell - 1) / cell;
  std::vector<float> weights(maps * length * length);
  REQUIRE(tensor->data.size() == weights.size() * sizeof(float));
  std::memcpy(weights.data(), tensor->data.data(), tensor->data.size());
  std::vector<float> expected(maps * side * side, 0.0F);
  for (std::size_t map = 0; map < maps; ++map) {
    for (std::size_t query = 0; query < length; ++query) {
      for (std::size_t key = 0; key < length; ++key) {
        float& largest = expected[(map * side + query / cell) * side + key / cell];
        largest = std::max(largest, weights[(map * length + query) * length + key]);
      }
    }
  }

  const auto npy_of = [&](const std::string& name, std::vector<std::string> more) {
    const std::string path = folder.file(name);
    more.insert(more.begin(), {"export", "--kind", "overview", "--out", path});
    const ProgramResult result = cli(more);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    const std::string bytes = read_file(path);
    const std::size_t begin = bytes.find('\n') + 1;
    std::vector<float> values((bytes.size() - begin) / sizeof(float));
    std::memcpy(values.data(), bytes.data() + begin, bytes.size() - begin);
    return std::pair(bytes.substr(0, begin), values);
  };
  const auto info = cli_json({"info"});
  const std::size_t heads = info["heads"];
  const auto [header, from_model] = npy_of("model.npy", long_prompt);
  CHECK(header.find("'<f4'") != std::string::npos);
  CHECK(header.find("(" + std::to_string(maps / heads) + ", " + std::to_string(heads) + ", " + std::to_string(side) +
                    ", " + std::to_string(side) + ")") != std::string::npos);
  REQUIRE(from_model.size() == expected.size());
  float worst = 0;
  std::size_t other_zeros = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(from_model[i] - expected[i]));
    other_zeros += (from_model[i] == 0) != (expected[i] == 0) ? 1 : 0;
  }
  CHECK(worst < 1e-6F);  // a coarse tile sums its products in another order than a whole map
  CHECK(other_zeros == 0);
  CHECK(*std::max_element(from_model.begin(), from_model.end()) > 0.5F);
  CHECK(npy_of("trace.npy", {"--from", trace}).second == expected);

  // One layer is its part of all, in numbers and in what is said of them.
  const auto layer = npy_of("layer.npy", {"--from", trace, "--layer", "2"}).second;
  REQUIRE(layer.size() == heads * side * side);
  CHECK(std::equal(layer.begin(), layer.end(), expected.begin() + static_cast<std::ptrdiff_t>(2 * layer.size())));
  const auto about = nlohmann::json::parse(read_file(folder.file("layer.npy.json")));
  CHECK(about["layers"] == "2");
  CHECK(about["cell_tokens"] == std::to_string(cell));
  CHECK(about["tokens"] == std::to_string(length));
  CHECK(about["maps"].get<std::string>().rfind("2.0,2.1", 0) == 0);

  // The sink's cells are 0 and nothing else changes.
  const auto without = npy_of("sink.npy", {"--from", trace, "--hide-sink"}).second;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (without[i] != (i % side == 0 ? 0.0F : expected[i])) FAIL("cell " << i);
  }
}

TEST_CASE("an overview in every format, or a word why not") {
  const TemporaryFolder folder;
  for (const char* ending : {"npy", "json", "png", "svg", "pdf"}) {
    CAPTURE(ending);
    const std::string file = folder.file(std::string("heads.") + ending);
    const ProgramResult result = export_to(file, {"--kind", "overview", "--scale", "log", "--clip", "99"});
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    CHECK(!read_file(file).empty());
  }
  const auto all = nlohmann::json::parse(read_file(folder.file("heads.json")));
  CHECK(all["kind"] == "overview");
  CHECK(all["layer"].is_null());
  CHECK(all["values"].size() == cli_json({"info"})["layers"]);
  CHECK(all["values"][0][0].size() == all["queries"].size());
  const auto refused = [&](const std::string& file, const std::vector<std::string>& more, int code) {
    std::vector<std::string> words{"--kind", "overview"};
    words.insert(words.end(), more.begin(), more.end());
    const ProgramResult result = export_to(folder.file(file), words);
    CAPTURE(file);
    CHECK(result.exit_code == code);
    CHECK(!std::filesystem::exists(folder.file(file)));
    CHECK(!std::filesystem::exists(folder.file(file + ".json")));
  };
  refused("table.csv", {}, 2);
  refused("head.npy", {"--head", "1"}, 2);
  refused("rows.npy", {"--normalise", "row"}, 2);
  refused("layer.npy", {"--layer", "99"}, 3);

  // A trace with some maps has these; one without any, and a session, have none.
  const std::string some = folder.file("some.safetensors");
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--attention", "0.1,2.3", "--out", some}).exit_code == 0);
  const std::string partly = folder.file("partly.json");
  REQUIRE(cli({"export", "--kind", "overview", "--from", some, "--out", partly}).exit_code == 0);
  const auto values = nlohmann::json::parse(read_file(partly))["values"];
  CHECK(values[0][1] == all["values"][0][1]);
  CHECK(values[2][3] == all["values"][2][3]);
  CHECK(values[0][0][0][0].is_null());
  CHECK(cli({"export", "--kind", "overview", "--from", some, "--layer", "1", "--out", partly}).exit_code == 3);
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--out", some}).exit_code == 0);
  CHECK(cli({"export", "--kind", "overview", "--from", some, "--out", partly}).exit_code == 3);
}

TEST_CASE("a colour range can be fixed, where there are colours, and stands in the figure's origin") {
  const TemporaryFolder folder;
  const std::string file = folder.file("map.svg");
  const ProgramResult drawn = export_to(file, {"--kind", "attention", "--range", "1e-3:0.5", "--scale", "log"});
  if (drawn.err.find("Qt") == std::string::npos) {
    REQUIRE(drawn.exit_code == 0);
    CHECK(read_file(file).find("&quot;range&quot;: &quot;0.001:0.5&quot;") != std::string::npos);
    CHECK(read_file(file).find("&quot;layer&quot;: &quot;0&quot;") != std::string::npos);
  }
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--kind", "attention", "--range", "1"},
                                                {"--kind", "attention", "--range", "0.5:0.1"},
                                                {"--kind", "overview", "--range", "0:1", "--scale", "log"},
                                                {"--kind", "attention", "--range", "0:1", "--clip", "99"},
                                                {"--kind", "kv", "--range", "0:1"}}) {
    CHECK(export_to(folder.file("x.svg"), wrong).exit_code == 2);
  }
}

TEST_CASE("a figure has the width that was asked for, or a word why not") {
  const TemporaryFolder folder;
  const auto width_of = [&](const std::vector<std::string>& more) {
    const std::string file = folder.file("x.svg");
    const ProgramResult result = export_to(file, more);
    CAPTURE(result.err);
    if (!draws(result)) return 89.0;
    REQUIRE(result.exit_code == 0);
    const std::string svg = read_file(file);
    const std::size_t at = svg.find("width=\"") + 7;
    REQUIRE(svg.substr(svg.find('"', at) - 2, 2) == "mm");
    return std::stod(svg.substr(at));
  };
  for (const char* kind : {"attention", "mask", "roles", "kv", "overview", "text"}) {
    CAPTURE(kind);
    CHECK(width_of({"--kind", kind, "--width", "89mm"}) == doctest::Approx(89).epsilon(0.002));
  }
  CHECK(width_of({"--kind", "roles", "--width", "3.5in"}) == doctest::Approx(88.9).epsilon(0.002));
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--kind", "roles", "--width", "89"},
                                                {"--kind", "roles", "--width", "2mm"},
                                                {"--kind", "roles", "--width", "89mm", "--cell", "2"},
                                                {"--kind", "roles", "--width", "40mm", "--axes", "tokens"},
                                                {"--kind", "kv", "--cell", "2"}})
    CHECK(export_to(folder.file("x.svg"), wrong).exit_code == 2);
}

}  // namespace natscope::test
