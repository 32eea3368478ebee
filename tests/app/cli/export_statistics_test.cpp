// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "core/io/safetensors.h"
#include "tests/app/cli/export_fixture.h"

namespace natscope::test {
namespace {

using nlohmann::json;

struct Means {
  double entropy = 0, sink = 0, self = 0, distance = 0;
};

/// From every weight that a trace holds of a map.
Means means_of(const std::vector<float>& weights, std::size_t map, std::size_t length) {
  Means sums;
  for (std::size_t query = 0; query < length; ++query) {
    const auto weight = [&](std::size_t key) {
      return static_cast<double>(weights[(map * length + query) * length + key]);
    };
    for (std::size_t key = 0; key <= query; ++key) {
      sums.entropy -= weight(key) > 0 ? weight(key) * std::log(weight(key)) : 0;
      sums.distance += weight(key) * static_cast<double>(query - key);
    }
    sums.sink += weight(0);
    sums.self += weight(query);
  }
  const auto queries = static_cast<double>(length);
  return {sums.entropy / queries, sums.sink / queries, sums.self / queries, sums.distance / queries};
}

json statistics(const std::string& file, std::vector<std::string> more) {
  more.insert(more.begin(), {"export", "--kind", "statistics", "--out", file});
  const ProgramResult result = cli(more);
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  return json::parse(read_file(file));
}

TEST_CASE("statistics of all heads are those of the weights that a trace holds") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20; ++i) text += "The lamp went out in room " + std::to_string(i * 37 % 101) + ". ";
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", "--prompt", text, "--attention", "all", "--out", trace}).exit_code == 0);
  const auto file = SafetensorsFile::open(trace);
  REQUIRE(file);
  const TensorInfo* const tensor = file->find("attention");
  REQUIRE(tensor != nullptr);
  const auto maps = static_cast<std::size_t>(tensor->shape[0]);
  const auto length = static_cast<std::size_t>(tensor->shape[1]);
  std::vector<float> weights(maps * length * length);
  REQUIRE(tensor->data.size() == weights.size() * sizeof(float));
  std::memcpy(weights.data(), tensor->data.data(), tensor->data.size());
  const auto info = cli_json({"info"});
  const int heads = info["heads"], kv_heads = info["kv_heads"];

  const json from_model = statistics(folder.file("model.json"), {"--prompt", text});
  const json from_trace = statistics(folder.file("trace.json"), {"--from", trace});
  CHECK(from_model["kind"] == "statistics");
  for (const json* const found : {&from_model, &from_trace}) {
    const json& rows = (*found)["values"];
    REQUIRE(rows.size() == maps);
    for (std::size_t map = 0; map < maps; ++map) {
      CAPTURE(map);
      const json& row = rows[map];
      const Means expected = means_of(weights, map, length);
      const int head = static_cast<int>(map) % heads;
      CHECK(row["layer"] == static_cast<int>(map) / heads);
      CHECK(row["head"] == head);
      CHECK(row["kv_head"] == head / (heads / kv_heads));
      CHECK(row["entropy"].get<double>() == doctest::Approx(expected.entropy).epsilon(1e-4));
      CHECK(row["attended_keys"].get<double>() == doctest::Approx(std::exp(expected.entropy)).epsilon(1e-4));
      CHECK(row["sink_weight"].get<double>() == doctest::Approx(expected.sink).epsilon(1e-4));
      CHECK(row["self_weight"].get<double>() == doctest::Approx(expected.self).epsilon(1e-4));
      CHECK(row["queries"] == length);
      CHECK(row["distance"].get<double>() == doctest::Approx(expected.distance).epsilon(1e-4));
      CHECK(!row.contains("lost"));
    }
  }
  // One layer is its part of all.
  const json layer = statistics(folder.file("layer.json"), {"--from", trace, "--layer", "1"});
  REQUIRE(layer["values"].size() == static_cast<std::size_t>(heads));
  for (int head = 0; head < heads; ++head)
    CHECK(layer["values"][static_cast<std::size_t>(head)] ==
          from_trace["values"][static_cast<std::size_t>(heads + head)]);
}

/// The numbers of a tensor, one after another.
template <class T>
std::vector<T> tensor_of(const SafetensorsFile& file, const char* name) {
  const TensorInfo* const tensor = file.find(name);
  REQUIRE(tensor != nullptr);
  std::vector<T> numbers(tensor->data.size() / sizeof(T));
  std::memcpy(numbers.data(), tensor->data.data(), tensor->data.size());
  return numbers;
}

TEST_CASE("what another run had dropped is lost: the weights of one trace under the mask of the other") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 12; ++i) text += "The lamp went out in room " + std::to_string(i * 37 % 101) + ". ";
  const std::string full = folder.file("full.safetensors");
  REQUIRE(cli({"trace", "--prompt", text, "--policy", "full", "--attention", "all", "--out", full}).exit_code == 0);
  const auto whole = SafetensorsFile::open(full);
  REQUIRE(whole);
  const std::vector<float> weights = tensor_of<float>(*whole, "attention");
  const std::size_t length = tensor_of<std::int64_t>(*whole, "tokens").size();
  const std::size_t map_cells = length * length;
  for (const std::string policy : {"streaming:4,16", "h2o:12,12", "model"}) {
    CAPTURE(policy);
    const std::string other = folder.file("other.safetensors");
    REQUIRE(cli({"trace", "--prompt", text, "--policy", policy, "--attention", "all", "--out", other}).exit_code == 0);
    const auto file = SafetensorsFile::open(other);
    REQUIRE(file);
    const std::vector<std::uint8_t> visible = tensor_of<std::uint8_t>(*file, "visible");
    REQUIRE(visible.size() == weights.size());
    const json from_trace = statistics(folder.file("t.json"), {"--from", full, "--compare", other});
    const json from_model =
        statistics(folder.file("m.json"), {"--prompt", text, "--policy", "full", "--compare", other});
    CHECK(from_trace["provenance"]["compared_1_policy"] == policy);
    for (const json* const found : {&from_trace, &from_model}) {
      const json& rows = (*found)["values"];
      REQUIRE(rows.size() == weights.size() / map_cells);
      double most = 0;
      for (std::size_t map = 0; map < rows.size(); ++map) {
        CAPTURE(map);
        double lost = 0;
        for (std::size_t cell = map * map_cells; cell < (map + 1) * map_cells; ++cell)
          lost += visible[cell] == 0 ? static_cast<double>(weights[cell]) : 0.0;
        lost /= static_cast<double>(length);
        most = std::max(most, lost);
        CHECK(rows[map]["lost"].get<double>() == doctest::Approx(lost).epsilon(1e-4));
        CHECK(rows[map]["compared_queries"] == length);
      }
      CHECK(most > 0.01);
    }
  }
  // Nothing is lost to the same run; one that read less is compared as far as it went.
  const json same = statistics(folder.file("same.json"), {"--from", full, "--compare", full});
  for (const json& row : same["values"]) CHECK(row["lost"] == 0);
  const std::string part = folder.file("part.safetensors");
  REQUIRE(cli({"trace", "--prompt", text.substr(0, 90), "--policy", "streaming:1,4", "--out", part}).exit_code == 0);
  const json partly = statistics(folder.file("partly.json"), {"--from", full, "--compare", part});
  const auto compared = partly["values"][0]["compared_queries"].get<std::size_t>();
  CHECK((compared > 10 && compared < length));
}

TEST_CASE("statistics beside another run: as a table, as a figure, or a word why not") {
  const TemporaryFolder folder;
  const auto traced = [&](const char* name, std::vector<std::string> more) {
    more.insert(more.begin(), {"trace", "--out", folder.file(name)});
    REQUIRE(cli(more).exit_code == 0);
    return folder.file(name);
  };
  const std::string run = traced("run.safetensors", {prompt[0], prompt[1], "--attention", "all"});
  const std::string other = traced("o.safetensors", {prompt[0], prompt[1], "--policy", "streaming:1,4"});
  const std::string text = traced("text.safetensors", {"--prompt", "Something else altogether"});
  const std::vector<std::string> from{"export", "--kind", "statistics", "--from", run};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), from.begin(), from.end());
    return cli(more);
  };
  const std::string csv = folder.file("s.csv");
  REQUIRE(with({"--compare", other, "--out", csv}).exit_code == 0);
  CHECK(read_file(csv).rfind(
            "layer,head,kv_head,entropy,attended_keys,sink_weight,self_weight,queries,distance,lost,compared_queries\n",
            0) == 0);
  CHECK(json::parse(read_file(csv + ".json"))["compared_1_policy"] == "streaming:1,4");
  CHECK(with({"--compare", other, "--out", folder.file("s.npy")}).exit_code == 0);
  const std::string svg = folder.file("s.svg");
  REQUIRE(with({"--compare", other, "--label", "Ours", "--label", "Theirs", "--out", svg}).exit_code == 0);
  CHECK(read_file(svg).find("lost, %") != std::string::npos);
  CHECK(read_file(svg).find("Theirs") != std::string::npos);
  REQUIRE(with({"--out", svg}).exit_code == 0);
  CHECK(read_file(svg).find("lost, %") == std::string::npos);

  const ProgramResult another = with({"--compare", text, "--out", csv});
  CHECK(another.exit_code == 3);
  CHECK(another.last_error_line().find("another text") != std::string::npos);
  CHECK(with({"--compare", other, "--compare", other, "--out", csv}).exit_code == 2);
  CHECK(with({"--compare", folder.file("none.safetensors"), "--out", csv}).exit_code == 3);
  const ProgramResult overview =
      cli({"export", "--kind", "overview", "--from", run, "--compare", other, "--out", folder.file("o.json")});
  CHECK(overview.exit_code == 2);
}

TEST_CASE("statistics as a table, of the maps that are there, or a word why not") {
  const TemporaryFolder folder;
  const std::string csv = folder.file("s.csv");
  REQUIRE(export_to(csv, {"--kind", "statistics"}).exit_code == 0);
  CHECK(read_file(csv).rfind(
            "layer,head,kv_head,entropy,attended_keys,sink_weight,self_weight,queries,distance\n0,0,0,", 0) == 0);
  CHECK(json::parse(read_file(csv + ".json"))["kind"] == "statistics");

  const std::string some = folder.file("some.safetensors");
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--attention", "2.1", "--out", some}).exit_code == 0);
  const json partly = statistics(folder.file("partly.json"), {"--from", some});
  REQUIRE(partly["values"].size() == 1);
  CHECK(partly["values"][0]["layer"] == 2);
  CHECK(partly["values"][0]["head"] == 1);

  CHECK(export_to(folder.file("s.csv"), {"--kind", "statistics", "--head", "1"}).exit_code == 2);
  CHECK(export_to(folder.file("s.csv"), {"--kind", "statistics", "--hide-sink"}).exit_code == 2);
  CHECK(export_to(folder.file("s.csv"), {"--kind", "statistics", "--layer", "99"}).exit_code == 3);
  const std::string none = folder.file("none.safetensors");
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--out", none}).exit_code == 0);
  const ProgramResult refused = cli({"export", "--kind", "statistics", "--from", none, "--out", csv});
  CHECK(refused.exit_code == 3);
  CHECK(refused.last_error_line().find("no attention maps") != std::string::npos);
}

}  // namespace
}  // namespace natscope::test
