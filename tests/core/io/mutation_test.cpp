// SPDX-License-Identifier: GPL-3.0-or-later
// Random damage to every file of a model folder: opening answers, whatever it answers, and what opens can be read.
#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>

#include "core/io/model_folder.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

using test::TemporaryFolder;
using test::TinyModel;

constexpr unsigned seed = 31337;

/// Overwrites, inserts, removes or repeats a few bytes, with a liking for numbers and brackets.
std::string damaged(std::string bytes, std::size_t begin, std::size_t end, std::mt19937& random) {
  constexpr std::string_view liked = "0123456789-+.eE[]{}\",:\\ \n\t\xff\x00\x7f";
  const std::size_t hits = 1 + random() % 4;
  for (std::size_t i = 0; i < hits && begin < std::min(end, bytes.size()); ++i) {
    const std::size_t at = begin + random() % (std::min(end, bytes.size()) - begin);
    const char value = random() % 2 == 0 ? liked[random() % liked.size()] : static_cast<char>(random());
    switch (random() % 5) {
      case 0:
        bytes[at] = value;
        break;
      case 1:
        bytes.insert(at, 1, value);
        break;
      case 2:
        bytes.erase(at, 1 + random() % 8);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, 1 + random() % 40));
        break;
      default:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
    }
  }
  return bytes;
}

/// Touches every byte that a view promises.
std::uint64_t touched(const ModelFolder& folder) {
  std::uint64_t sum = 0;
  const auto add = [&](const WeightView& view) {
    for (std::int64_t i = 0; i < view.size_bytes(); ++i) sum += std::to_integer<std::uint64_t>(view.data[i]);
  };
  add(folder.weights().embed);
  add(folder.weights().lm_head);
  for (const LayerWeights& layer : folder.weights().layers) {
    for (const WeightView* const view : {&layer.q, &layer.k, &layer.score, &layer.down, &layer.input_norm}) add(*view);
  }
  return sum;
}

void damage_file(const char* file, std::size_t end, const char* tokenizer_json = nullptr) {
  MESSAGE("seed " << seed << ", file " << std::string(file));
  std::mt19937 random(seed);
  const TemporaryFolder folder;
  TinyModel model(tokenizer_json != nullptr ? nlohmann::json{{"vocab_size", 600}} : nlohmann::json::object());
  if (tokenizer_json != nullptr) model.tokenizer.clear();
  model.generation = {{"temperature", 0.7}, {"top_k", 50}, {"eos_token_id", {2, 3}}};
  model.write(folder.path());
  if (tokenizer_json != nullptr) {
    std::filesystem::copy_file(std::filesystem::path(NATSCOPE_TESTS_DIR) / "data/hf_tokenizers" / tokenizer_json,
                               folder / file);
  }
  const std::string whole = test::read_bytes(folder / file);
  int opened = 0;
  int rounds = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  while (rounds < 3000 && std::chrono::steady_clock::now() < deadline) {
    ++rounds;
    test::write_bytes(folder / file, damaged(whole, 0, end, random));
    const auto result = ModelFolder::open(folder.path());
    if (!result) {
      CHECK(exit_code(result.error().code) == 3);
      continue;
    }
    ++opened;
    touched(*result);
    const auto ids = result->tokenizer().encode("abc é\n");
    if (ids) CHECK(result->tokenizer().decode(*ids));
  }
  MESSAGE(opened << " of " << rounds << " damaged folders still opened");
}

TEST_CASE("damaged configs") { damage_file("config.json", SIZE_MAX); }
TEST_CASE("damaged generation configs") { damage_file("generation_config.json", SIZE_MAX); }
TEST_CASE("damaged safetensors headers") { damage_file("model.safetensors", 2500); }
TEST_CASE("damaged tokenizers") { damage_file("tokenizer.model", SIZE_MAX); }
TEST_CASE("damaged tokenizers of Hugging Face's") {
  for (const char* const kind : {"qwen2.json", "llama2.json"}) damage_file("tokenizer.json", SIZE_MAX, kind);
}

}  // namespace
}  // namespace natscope
