// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>

#include "core/io/safetensors.h"
#include "tests/app/cli/export_fixture.h"

namespace natscope::test {
namespace {

using nlohmann::json;

/// What a row says of a token, added up cell by cell.
struct Counted {
  double occurrences = 0;
  double cells = 0;
  std::array<double, 3> roles{};
  double held = 0;
  double life = 0;
  std::array<double, 3> steps{};  // by role
  double loss = 0;
  double predicted = 0;
};

template <class Value>
std::vector<Value> values_of(const SafetensorsFile& file, const char* name) {
  const TensorInfo* tensor = file.find(name);
  REQUIRE(tensor != nullptr);
  std::vector<Value> values(tensor->data.size() / sizeof(Value));
  std::memcpy(values.data(), tensor->data.data(), tensor->data.size());
  return values;
}

/// From a trace's tokens, roles and probabilities alone; `only` a (layer, KV head) row of the roles, or all of them.
std::map<std::int64_t, Counted> recount(const SafetensorsFile& file, std::optional<std::size_t> only) {
  const auto tokens = values_of<std::int64_t>(file, "tokens");
  const auto roles = values_of<std::uint8_t>(file, "roles");
  const auto probability = values_of<float>(file, "probability");
  const std::int64_t window = std::stoll(file.metadata().find("window")->second);
  const std::size_t length = tokens.size();
  std::map<std::int64_t, Counted> all;
  for (std::size_t n = 0; n < length; ++n) {
    Counted& item = all[tokens[n]];
    ++item.occurrences;
    if (n > 0 && probability[n] > 0) {
      item.loss -= std::log(static_cast<double>(probability[n]));
      ++item.predicted;
    }
    for (std::size_t head = 0; head < roles.size() / length; ++head) {
      if (only && head != *only) continue;
      const auto role = [&](std::size_t at) { return int{roles[head * length + at]}; };
      ++item.cells;
      ++item.roles[static_cast<std::size_t>(role(n))];
      bool later_global = false;
      for (std::size_t t = n; t < length; ++t) {  // is it there after token t?
        later_global = later_global || (t > n && role(t) == 0);
        const bool is_held = role(n) == 0 || (role(n) == 1 && !later_global) ||
                             (role(n) == 2 && static_cast<std::int64_t>(n) + window > static_cast<std::int64_t>(t));
        item.steps[static_cast<std::size_t>(role(n))] += is_held ? 1 : 0;
        if (t + 1 < length) item.life += is_held ? 1 : 0;
        if (t + 1 == length) item.held += is_held ? 1 : 0;
      }
    }
  }
  return all;
}

void check_rows(const json& rows, const std::map<std::int64_t, Counted>& expected) {
  REQUIRE(rows.size() == expected.size());
  double steps = 0;
  for (const auto& [token, item] : expected) steps += item.steps[0] + item.steps[1] + item.steps[2];
  double before = 2;
  for (const auto& row : rows) {
    const auto found = expected.find(row["token"].get<std::int64_t>());
    REQUIRE(found != expected.end());
    const Counted& item = found->second;
    CAPTURE(found->first);
    CHECK(row["occurrences"] == item.occurrences);
    CHECK(row["global_share"].get<double>() == doctest::Approx(item.roles[0] / item.cells));
    CHECK(row["local_share"].get<double>() == doctest::Approx(item.roles[1] / item.cells));
    CHECK(row["sliding_share"].get<double>() == doctest::Approx(item.roles[2] / item.cells));
    CHECK(row["held_share"].get<double>() == doctest::Approx(item.held / item.cells));
    CHECK(row["mean_life"].get<double>() == doctest::Approx(item.life / item.cells));
    CHECK(row["cache_share"].get<double>() == doctest::Approx((item.steps[0] + item.steps[1] + item.steps[2]) / steps));
    CHECK(row["global_cache_share"].get<double>() == doctest::Approx(item.steps[0] / steps));
    CHECK(row["local_cache_share"].get<double>() == doctest::Approx(item.steps[1] / steps));
    CHECK(row["sliding_cache_share"].get<double>() == doctest::Approx(item.steps[2] / steps));
    CHECK(row["life_is_cut"] == (item.held > 0 ? 1 : 0));
    if (item.predicted > 0)
      CHECK(row["mean_loss"].get<double>() == doctest::Approx(item.loss / item.predicted));
    else
      CHECK(row["mean_loss"].is_null());
    CHECK(row["cache_share"].get<double>() <= before);  // the most of the cache first
    before = row["cache_share"].get<double>();
  }
}

/// The rows of a csv file by its header (RFC 4180).
std::vector<std::map<std::string, std::string>> csv_rows(const std::string& text) {
  std::vector<std::vector<std::string>> lines{{""}};
  bool is_quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' && is_quoted && at + 1 < text.size() && text[at + 1] == '"') {
      lines.back().back() += text[++at];
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      lines.back().emplace_back();
    } else if (c == '\n' && !is_quoted) {
      lines.push_back({""});
    } else {
      lines.back().back() += c;
    }
  }
  lines.pop_back();  // behind the last line break
  std::vector<std::map<std::string, std::string>> rows;
  for (std::size_t row = 1; row < lines.size(); ++row) {
    REQUIRE(lines[row].size() == lines[0].size());
    for (std::size_t column = 0; column < lines[0].size(); ++column)
      (column == 0 ? rows.emplace_back() : rows.back())[lines[0][column]] = lines[row][column];
  }
  return rows;
}

}  // namespace

TEST_CASE("the vocabulary of a run, counted again from its trace") {
  const TemporaryFolder folder;
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--out", trace}).exit_code == 0);
  const auto file = SafetensorsFile::open(trace);
  REQUIRE(file);
  const auto kv_heads = static_cast<std::size_t>(file->find("roles")->shape[1]);
  const auto exported = [&](const std::vector<std::string>& more, bool from_trace) {
    const std::string out = folder.file("v.json");
    std::vector<std::string> words{"--kind", "vocabulary"};
    words.insert(words.end(), more.begin(), more.end());
    if (from_trace) {
      words.insert(words.begin(), {"export", "--from", trace, "--out", out});
      REQUIRE(cli(words).exit_code == 0);
    } else {
      REQUIRE(export_to(out, words).exit_code == 0);
    }
    return json::parse(read_file(out));
  };

  const json all = exported({}, true);
  check_rows(all["values"], recount(*file, std::nullopt));
  CHECK(all["layer"].is_null());
  CHECK(all["provenance"]["kind"] == "vocabulary");
  CHECK(exported({}, false)["values"] == all["values"]);
  // Texts have the blank in front, and what adds nothing has its name.
  const auto text_of = [&](const std::string& text) {
    return std::count_if(all["values"].begin(), all["values"].end(),
                         [&](const json& row) { return row["text"].get<std::string>() == text; });
  };
  CHECK(text_of(" the") == 1);
  CHECK(text_of("<s>") == 1);

  // One head: the query head's KV head. The demo has two query heads for each.
  const json one = exported({"--layer", "1", "--head", "3"}, true);
  const std::int64_t heads = std::stoll(file->metadata().find("heads")->second);
  const auto kv_head = static_cast<std::size_t>(3 / (heads / static_cast<std::int64_t>(kv_heads)));
  check_rows(one["values"], recount(*file, kv_heads + kv_head));
  CHECK(one["layer"] == 1);
  CHECK(one["head"] == 3);
  CHECK(one["provenance"]["head"] == "3");
  CHECK(exported({"--layer", "1", "--head", "3"}, false)["values"] == one["values"]);

  const ProgramResult csv = cli({"export", "--from", trace, "--kind", "vocabulary", "--out", "-", "--format", "csv"});
  REQUIRE(csv.exit_code == 0);
  CHECK(csv.out.rfind("token,text,occurrences,global_share,local_share,sliding_share,held_share,mean_life,"
                      "cache_share,global_cache_share,local_cache_share,sliding_cache_share,mean_loss,life_is_cut\n",
                      0) == 0);
  CHECK(csv.out.find(",\" the\",") != std::string::npos);
  CHECK(export_to(folder.file("v.npy"), {"--kind", "vocabulary"}).exit_code == 2);
  CHECK(export_to(folder.file("v.json"), {"--kind", "vocabulary", "--layer", "99"}).exit_code == 3);
  // H2O has no roles, and says by what it dropped who stayed.
  REQUIRE(export_to(folder.file("h2o.json"), {"--kind", "vocabulary", "--policy", "h2o:2,2"}).exit_code == 0);
  for (const auto& row : json::parse(read_file(folder.file("h2o.json")))["values"]) {
    CHECK(row["global_share"].is_null());
    CHECK(row["held_share"].get<double>() <= 1);
  }
}

TEST_CASE("eval counts the vocabulary over segments and policies") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 12; ++i)
    text += "The lamp went out, and the room was \"quiet\". Nobody spoke; the lamp was cold.\n";
  write_file(folder.file("text.txt"), text);
  const std::string out = folder.file("v.csv");
  const std::vector<std::string> base{"eval", "--text", folder.file("text.txt"), "--segment", "40", "--tokens-max"};
  const auto eval = [&](std::vector<std::string> more) {
    std::vector<std::string> words = base;
    words.insert(words.end(), more.begin(), more.end());
    return cli(words);
  };
  REQUIRE(eval({"40", "--vocabulary", out}).exit_code == 0);
  CHECK(read_file(out).rfind("policy,token,text,occurrences,", 0) == 0);
  for (const auto& row : csv_rows(read_file(out))) CHECK(row.at("policy") == "model");

  // Two segments hold twice the tokens, and every policy its own rows.
  REQUIRE(eval({"80", "--policy", "window:4", "--policy", "full", "--vocabulary", out}).exit_code == 0);
  std::map<std::string, double> occurrences;
  std::map<std::string, double> cache;
  for (const auto& row : csv_rows(read_file(out))) {
    occurrences[row.at("policy")] += std::stod(row.at("occurrences"));
    cache[row.at("policy")] += std::stod(row.at("cache_share"));
    CHECK(row.at(row.at("policy") == "full" ? "global_share" : "sliding_share") == "1");
  }
  CHECK(occurrences == std::map<std::string, double>{{"full", 80}, {"window:4", 80}});
  CHECK(cache["full"] == doctest::Approx(1));
  CHECK(cache["window:4"] == doctest::Approx(1));
  CHECK(eval({"80", "--csv", out, "--vocabulary", out}).last_error_line().find("same file") != std::string::npos);

  // Mean losses are those of the tokens one by one.
  REQUIRE(eval({"80", "--vocabulary", out, "--per-token", folder.file("loss.csv")}).exit_code == 0);
  std::map<std::string, std::pair<double, double>> losses;
  for (const auto& row : csv_rows(read_file(folder.file("loss.csv")))) {
    losses[row.at("token")].first += std::stod(row.at("nll"));
    losses[row.at("token")].second += 1;
  }
  for (const auto& row : csv_rows(read_file(out))) {
    const auto found = losses.find(row.at("token"));
    CAPTURE(row.at("token"));
    CHECK(row.at("mean_loss").empty() == (found == losses.end()));
    if (found != losses.end())
      CHECK(std::stod(row.at("mean_loss")) == doctest::Approx(found->second.first / found->second.second));
  }
}

}  // namespace natscope::test
