// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

const std::vector<std::string> prompt{"--prompt", "The lamp went out, and the room was quiet."};

ProgramResult export_to(const std::string& file, std::vector<std::string> more) {
  more.insert(more.begin(), {"export", "--out", file});
  more.insert(more.end(), prompt.begin(), prompt.end());
  return cli(more);
}

}  // namespace

TEST_CASE("every kind in every format") {
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
  // H2O has no roles; a table is not drawn.
  REQUIRE(export_to(folder.file("h2o.json"), {"--kind", "heads", "--policy", "h2o:2,2"}).exit_code == 0);
  const auto measured = nlohmann::json::parse(read_file(folder.file("h2o.json")))["values"][0];
  CHECK(measured["global_share"].is_null());
  CHECK(measured["entries"].get<int>() <= 4);
  REQUIRE(export_to(folder.file("heads.csv"), {"--kind", "heads"}).exit_code == 0);
  CHECK(read_file(folder.file("heads.csv")).rfind("layer,kv_head,global_share,", 0) == 0);
  CHECK(export_to(folder.file("heads.png"), {"--kind", "heads"}).exit_code == 2);
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
        std::vector<std::string>{"--kind", "roles", "--out", folder.file("k.svg")}}) {
    std::vector<std::string> arguments{"export", "--prompt", "Once", "--compare", folder.file("other.safetensors")};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    CHECK(cli(arguments).exit_code == 2);
  }
  CHECK(cli({"export", "--kind", "kv", "--prompt", "Once", "--compare", folder.file("none"), "--out",
             folder.file("k.svg")})
            .exit_code == 3);
}

}  // namespace natscope::test
