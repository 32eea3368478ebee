// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <array>

#include "core/io/safetensors.h"
#include "tests/app/cli/export_fixture.h"

namespace natscope::test {

TEST_CASE("the table of heads, counted again from a trace's roles") {
  const TemporaryFolder folder;
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", prompt[0], prompt[1], "--out", trace}).exit_code == 0);
  REQUIRE(cli({"export", "--kind", "heads", "--from", trace, "--out", folder.file("traced.json")}).exit_code == 0);
  REQUIRE(export_to(folder.file("heads.json"), {"--kind", "heads"}).exit_code == 0);
  const auto heads = nlohmann::json::parse(read_file(folder.file("heads.json")))["values"];
  CHECK(nlohmann::json::parse(read_file(folder.file("traced.json")))["values"] == heads);

  const auto file = SafetensorsFile::open(trace);
  REQUIRE(file);
  const TensorInfo* tensor = file->find("roles");
  REQUIRE(tensor != nullptr);
  const auto kv_heads = static_cast<std::size_t>(tensor->shape[1]);
  const auto length = static_cast<std::size_t>(tensor->shape[2]);
  const std::int64_t window = std::stoll(file->metadata().find("window")->second);
  REQUIRE(heads.size() == static_cast<std::size_t>(tensor->shape[0]) * kv_heads);
  for (std::size_t head = 0; head < heads.size(); ++head) {
    const auto role = [&](std::size_t n) { return std::to_integer<int>(tensor->data[head * length + n]); };
    std::array<double, 3> count{};
    double entries = 0;
    double life = 0;
    double held_locals = 0;
    for (std::size_t n = 0; n < length; ++n) {
      ++count[static_cast<std::size_t>(role(n))];
      std::size_t global = n + 1;
      while (global < length && role(global) != 0) ++global;
      const bool is_open = global == length;
      if (role(n) == 0) ++entries;
      if (role(n) == 2 && static_cast<std::int64_t>(n) + window >= static_cast<std::int64_t>(length)) ++entries;
      if (role(n) != 1) continue;
      // Seen by every later token up to the Global that ends it.
      life += static_cast<double>((is_open ? length - 1 : global) - n);
      held_locals += is_open ? 1 : 0;
      entries += is_open ? 1 : 0;
    }
    const auto& row = heads[head];
    CAPTURE(head);
    CHECK(row["layer"].get<std::size_t>() == head / kv_heads);
    CHECK(row["kv_head"].get<std::size_t>() == head % kv_heads);
    const auto tokens = static_cast<double>(length);
    CHECK(row["global_share"].get<double>() == doctest::Approx(count[0] / tokens));
    CHECK(row["local_share"].get<double>() == doctest::Approx(count[1] / tokens));
    CHECK(row["sliding_share"].get<double>() == doctest::Approx(count[2] / tokens));
    CHECK(row["entries"].get<double>() == entries);
    CHECK(row["kv_fraction"].get<double>() == doctest::Approx(entries / tokens));
    CHECK(row["locals_held"].get<double>() == held_locals);
    if (count[1] > 0) {
      CHECK(row["mean_local_life"].get<double>() == doctest::Approx(life / count[1]));
      CHECK(row["local_life_is_cut"].get<int>() == (held_locals > 0 ? 1 : 0));
    } else {
      CHECK(row["local_life_is_cut"].is_null());
      CHECK(row["mean_local_life"].is_null());
    }
  }
  // H2O has no roles.
  REQUIRE(export_to(folder.file("h2o.json"), {"--kind", "heads", "--policy", "h2o:2,2"}).exit_code == 0);
  const auto measured = nlohmann::json::parse(read_file(folder.file("h2o.json")))["values"][0];
  CHECK(measured["global_share"].is_null());
  CHECK(measured["entries"].get<int>() <= 4);
  REQUIRE(export_to(folder.file("heads.csv"), {"--kind", "heads"}).exit_code == 0);
  CHECK(read_file(folder.file("heads.csv")).rfind("layer,kv_head,global_share,", 0) == 0);
}

}  // namespace natscope::test
