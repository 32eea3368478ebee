// SPDX-License-Identifier: GPL-3.0-or-later
/// Traces against rules computed here from the roles alone.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/io/safetensors.h"
#include "tests/app/cli/cli_program.h"
#include "tests/support/tiny_model.h"

namespace natscope::test {
namespace {

constexpr int no_global = 1 << 30;

/// Section 4 of the rules, written again on purpose: this is what the program is checked against.
bool sees(const std::uint8_t* roles, int length, int key, int query, int window) {
  if (key > query) return false;
  if (key == query || roles[key] == 0) return true;
  if (roles[key] == 2) return query <= key + window;
  int next = no_global;
  for (int j = key + 1; j < length && next == no_global; ++j) {
    if (roles[j] == 0) next = j;
  }
  return query <= next;
}

/// Section 5: entries held after step t, by looking at every key.
int held(const std::uint8_t* roles, int t, int window) {
  int count = 0;
  for (int key = 0; key <= t; ++key) {
    bool keep = roles[key] == 0;
    if (roles[key] == 2) keep = key + window >= t + 1;
    if (roles[key] == 1) {
      keep = true;
      for (int j = key + 1; j <= t; ++j) keep = keep && roles[j] != 0;
    }
    count += keep ? 1 : 0;
  }
  return count;
}

struct Trace {
  SafetensorsFile file;
  int length, layers, kv_heads;
  std::vector<std::uint8_t> roles;
  std::vector<std::int32_t> entries;

  explicit Trace(const std::string& path) : file(*SafetensorsFile::open(path)) {
    const TensorInfo* tensor = file.find("roles");
    REQUIRE(tensor != nullptr);
    layers = static_cast<int>(tensor->shape[0]);
    kv_heads = static_cast<int>(tensor->shape[1]);
    length = static_cast<int>(tensor->shape[2]);
    roles = *tensor_values<std::uint8_t>(*tensor);
    entries = *tensor_values<std::int32_t>(*file.find("kv_entries"));
  }
  [[nodiscard]] const std::uint8_t* head(int layer, int kv_head) const {
    return roles.data() + (static_cast<std::ptrdiff_t>(layer) * kv_heads + kv_head) * length;
  }
};

const std::vector<std::string> base{"trace", "--prompt", "She opened the door, and the wind came in from the garden.",
                                    "--greedy"};

Trace trace(const TemporaryFolder& folder, std::vector<std::string> more) {
  std::vector<std::string> arguments = base;
  arguments.insert(arguments.end(), more.begin(), more.end());
  const std::string out = folder.file("trace.safetensors");
  arguments.insert(arguments.end(), {"--out", out});
  const ProgramResult result = cli(arguments);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return Trace(out);
}

}  // namespace

TEST_CASE("a trace's entries equal a recount from its roles, at every step and chunk size") {
  const TemporaryFolder folder;
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--max-new-tokens", "30"},
                                               {"--max-new-tokens", "9", "--chunk", "1"},
                                               {"--chunk", "3", "--window", "0"},
                                               {"--window", "2", "--max-new-tokens", "12"},
                                               {"--policy", "streaming:2,5", "--max-new-tokens", "5"}}) {
    const Trace seen = trace(folder, more);
    const int window = std::stoi(seen.file.metadata().at("window"));
    int wrong = 0;
    for (int t = 0; t < seen.length; ++t) {
      for (int layer = 0; layer < seen.layers; ++layer) {
        for (int head = 0; head < seen.kv_heads; ++head) {
          const int expected = held(seen.head(layer, head), t, window);
          wrong += seen.entries[static_cast<std::size_t>((t * seen.layers + layer) * seen.kv_heads + head)] != expected;
        }
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a trace holds the contract's tensors and metadata") {
  const TemporaryFolder folder;
  const Trace seen =
      trace(folder, {"--logits", "--scores", "--attention", "0.0,1.1", "--max-new-tokens", "6", "--seed", "5"});
  const auto info = cli_json({"info"});
  const auto check = [&](const char* name, DType dtype, std::vector<std::int64_t> shape) {
    CAPTURE(name);
    const TensorInfo* tensor = seen.file.find(name);
    REQUIRE(tensor != nullptr);
    CHECK(tensor->dtype == dtype);
    CHECK(tensor->shape == shape);
  };
  const std::int64_t length = seen.length;
  check("tokens", DType::i64, {length});
  check("roles", DType::u8, {seen.layers, seen.kv_heads, length});
  check("kv_entries", DType::i32, {length, seen.layers, seen.kv_heads});
  check("kv_allocated_bytes", DType::i64, {length});
  check("logits", DType::f32, {length, info["vocab"]});
  check("scores", DType::f32, {seen.layers, seen.kv_heads, length, 3});
  check("attention", DType::f32, {2, length, length});
  check("visible", DType::u8, {2, length, length});
  const auto& metadata = seen.file.metadata();
  CHECK(metadata.at("format") == "natscope-trace");
  CHECK(metadata.at("maps") == "0.0,1.1");
  CHECK(metadata.at("seed") == "5");
  CHECK(metadata.at("dtype") == "float32");
  CHECK(metadata.at("model_sha256").size() == 64);
  CHECK(metadata.at("prompt_sha256").size() == 64);
  for (const char* key : {"version", "window", "natscope_version"}) CHECK(metadata.contains(key));
}

TEST_CASE("maps are masked by the rules and their rows sum to one; roles follow the scores") {
  const TemporaryFolder folder;
  const Trace seen = trace(folder, {"--scores", "--attention", "all", "--max-new-tokens", "20"});
  const int window = std::stoi(seen.file.metadata().at("window"));
  const auto attention = *tensor_values<float>(*seen.file.find("attention"));
  const auto visible = *tensor_values<std::uint8_t>(*seen.file.find("visible"));
  const auto scores = *tensor_values<float>(*seen.file.find("scores"));
  const auto info = cli_json({"info"});
  const int heads = info["heads"];
  const int group = heads / seen.kv_heads;
  const float bias = info["global_bias"];
  int wrong_mask = 0;
  int wrong_zero = 0;
  double worst_sum = 0;
  for (int map = 0; map < seen.layers * heads; ++map) {
    const std::uint8_t* roles = seen.head(map / heads, map % heads / group);
    for (int m = 0; m < seen.length; ++m) {
      double sum = 0;
      for (int n = 0; n < seen.length; ++n) {
        const auto cell = static_cast<std::size_t>((map * seen.length + m) * seen.length + n);
        const bool expected = sees(roles, seen.length, n, m, window);
        wrong_mask += (visible[cell] == 1) != expected;
        wrong_zero += !expected && attention[cell] != 0.0F;
        sum += attention[cell];
      }
      worst_sum = std::max(worst_sum, std::abs(sum - 1));
    }
  }
  CHECK(wrong_mask == 0);
  CHECK(wrong_zero == 0);
  CHECK(worst_sum < 1e-4);
  int wrong_role = 0;
  for (std::size_t token = 0; token < seen.roles.size(); ++token) {
    const float* z = scores.data() + 3 * token;
    const float best[3] = {z[0] + bias, z[1], z[2]};
    const int expected = best[0] >= best[1] && best[0] >= best[2] ? 0 : best[1] >= best[2] ? 1 : 2;
    const bool first = token % static_cast<std::size_t>(seen.length) == 0;
    wrong_role += seen.roles[token] != (first ? 0 : expected);
  }
  CHECK(wrong_role == 0);
}

TEST_CASE("forced roles are taken verbatim, and --force wins over --roles") {
  const TemporaryFolder folder;
  const Trace free = trace(folder, {});
  std::filesystem::rename(folder.file("trace.safetensors"), folder.file("roles.safetensors"));
  const Trace forced =
      trace(folder, {"--roles", folder.file("roles.safetensors"), "--force", "0.0.0=S", "--force", "1.1.3=L"});
  for (int layer = 0; layer < free.layers; ++layer) {
    for (int head = 0; head < free.kv_heads; ++head) {
      for (int n = 0; n < free.length; ++n) {
        int expected = free.head(layer, head)[n];
        if (layer == 0 && head == 0 && n == 0) expected = 2;
        if (layer == 1 && head == 1 && n == 3) expected = 1;
        CHECK(forced.head(layer, head)[n] == expected);
      }
    }
  }
  // A star stands for every layer or KV head, and letters may be small.
  const Trace every = trace(folder, {"--force", "*.*.3=s", "--force", "1.*.4=g"});
  for (int layer = 0; layer < free.layers; ++layer) {
    for (int head = 0; head < free.kv_heads; ++head) {
      CHECK(every.head(layer, head)[3] == 2);
      if (layer == 1) CHECK(every.head(layer, head)[4] == 0);
    }
  }
  CHECK(every.file.metadata().at("set_roles").find("0.1.3=S") != std::string::npos);
  // A file that ends before the generation does is bad input.
  std::vector<std::string> longer = base;
  longer.insert(longer.end(), {"--roles", folder.file("roles.safetensors"), "--max-new-tokens", "5", "--out",
                               folder.file("no.safetensors")});
  const ProgramResult result = cli(longer);
  CHECK(result.exit_code == 3);
  CHECK(result.last_error_line().rfind("error: bad-roles: ", 0) == 0);
  CHECK_FALSE(std::filesystem::exists(folder.file("no.safetensors")));
}

TEST_CASE("chunks change nothing but rounding") {
  const TemporaryFolder folder;
  const auto logits = [&folder](const char* chunk) {
    return *tensor_values<float>(*trace(folder, {"--logits", "--chunk", chunk}).file.find("logits"));
  };
  const auto whole = logits("512");
  for (const char* chunk : {"1", "2", "7"}) {
    const auto pieces = logits(chunk);
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      error += std::pow(static_cast<double>(whole[i]) - pieces[i], 2);
      norm += std::pow(whole[i], 2);
    }
    CAPTURE(chunk);
    CHECK(std::sqrt(error / norm) < 1e-5);
  }
}

TEST_CASE("a generated run says how its tokens were chosen, one of a prompt alone does not") {
  const TemporaryFolder folder;
  const auto metadata = trace(folder, {"--max-new-tokens", "2", "--min-p", "0.25"}).file.metadata();
  CHECK(metadata.at("greedy") == "true");
  CHECK(metadata.at("min_p") == "0.25");
  for (const char* key : {"temperature", "top_p", "top_k", "repetition_penalty"}) CHECK(metadata.contains(key));
  CHECK(std::stod(metadata.at("global_bias")) == cli_json({"info"})["global_bias"].get<double>());
  const auto of_prompt = trace(folder, {}).file.metadata();
  CHECK_FALSE(of_prompt.contains("temperature"));
  CHECK(of_prompt.contains("global_bias"));
}

TEST_CASE("no command writes over what it reads, by whatever path") {
  const TemporaryFolder folder;
  const std::string text = folder.file("text.csv");
  write_file(text, "The lamp went out.");
  const std::string link = folder.file("link.csv");
  std::filesystem::create_symlink(text, link);
  const std::string trace = folder.file("t.safetensors");
  REQUIRE(cli({"trace", "--prompt", "The lamp went out.", "--out", trace}).exit_code == 0);
  const std::string before = read_file(trace);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"trace", "--prompt-file", text, "--out", text},
        {"trace", "--prompt-file", text, "--out", link},
        {"trace", "--prompt-file", text, "--out", folder.file("./text.csv")},
        {"trace", "--prompt", "The lamp went out.", "--roles", trace, "--out", trace},
        {"kernel", "visibility", "--in", trace, "--out", trace},
        {"export", "--kind", "kv", "--prompt-file", text, "--out", text},
        {"export", "--kind", "kv", "--prompt-file", link, "--out", text}}) {
    const ProgramResult result = cli(words);
    CAPTURE(words.back());
    CHECK(result.exit_code == 2);
    CHECK(result.err.find("overwrite") != std::string::npos);
    CHECK(read_file(text) == "The lamp went out.");
    CHECK(read_file(trace) == before);
  }
  // What stands beside a csv may be an input, too; a trace may have any name.
  std::filesystem::copy_file(trace, folder.file("kv.csv.json"));
  CHECK(
      cli({"export", "--kind", "kv", "--from", folder.file("kv.csv.json"), "--out", folder.file("kv.csv")}).exit_code ==
      2);
  std::filesystem::copy_file(trace, folder.file("kv.npy"));
  CHECK(cli({"export", "--kind", "kv", "--from", folder.file("kv.npy"), "--out", folder.file("kv.npy")}).exit_code ==
        2);
}

TEST_CASE("a model's own files are not written over") {
  const TemporaryFolder folder;
  TinyModel{}.write(folder.path());
  const std::string config = read_file(folder.file("config.json"));
  const ProgramResult result = cli({"export", "--kind", "kv", "--model", folder.path().string(), "--prompt", "a",
                                    "--out", folder.file("config.json")});
  CHECK(result.exit_code == 2);
  CHECK(result.err.find("--model") != std::string::npos);
  CHECK(read_file(folder.file("config.json")) == config);
}

}  // namespace natscope::test
