// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/model_folder.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core/base/sha256.h"
#include "tests/support/processor_time.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using test::read_bytes;
using test::TemporaryFolder;
using test::TinyModel;
using test::write_bytes;

ModelFolder opened(const fs::path& path) {
  auto folder = ModelFolder::open(path);
  if (!folder) FAIL(format_error_line(folder.error()));
  return *folder;
}

bool holds(const WeightView& view, const test::TinyTensor& tensor) {
  return static_cast<std::size_t>(view.size_bytes()) == tensor.bytes.size() &&
         std::memcmp(view.data, tensor.bytes.data(), tensor.bytes.size()) == 0;
}

/// The file with its data moved by `shift` bytes from where all is aligned: blanks at the end of the header do that.
std::string shifted(std::string safetensors, std::size_t shift) {
  std::uint64_t length = 0;
  std::memcpy(&length, safetensors.data(), 8);
  const std::size_t blanks = (8 - length % 8) % 8 + shift;
  safetensors.insert(8 + length, blanks, ' ');
  length += blanks;
  std::memcpy(safetensors.data(), &length, 8);
  return safetensors;
}

TEST_CASE("a NAtS model opens, and its views show what is stored") {
  const TemporaryFolder folder;
  TinyModel model;
  model.generation = {{"temperature", 0.5}, {"top_k", 7}, {"do_sample", true}, {"eos_token_id", {2, 9}}};
  model.write(folder.path());
  const ModelFolder opened_folder = opened(folder.path());
  const ModelWeights& weights = opened_folder.weights();
  CHECK(opened_folder.has_score_layers());
  CHECK(opened_folder.config().nats->window == 4);
  REQUIRE(weights.layers.size() == 2);
  CHECK(holds(weights.embed, model.tensor("model.embed_tokens.weight")));
  CHECK(holds(weights.lm_head, model.tensor("lm_head.weight")));
  const LayerWeights& layer = weights.layers[1];
  CHECK(holds(layer.k, model.tensor("model.layers.1.self_attn.k_proj.weight")));
  CHECK(holds(layer.score, model.tensor("model.layers.1.self_attn.proj_layer.weight")));
  CHECK(holds(layer.down, model.tensor("model.layers.1.mlp.down_proj.weight")));
  CHECK(layer.k.rows == 16);
  CHECK(layer.k.cols == 32);
  CHECK(layer.input_norm.rows == 1);
  CHECK(layer.input_norm.cols == 32);
  CHECK_FALSE(layer.q_bias.present());
  CHECK_FALSE(layer.q_lora.present());

  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;
  for (const auto& tensor : model.tensors) {
    parameters += static_cast<std::int64_t>(tensor.bytes.size() / 4);
    bytes += tensor.bytes.size();
  }
  CHECK(weights.parameter_count() == parameters);
  CHECK(opened_folder.weight_bytes() == bytes);
  CHECK(opened_folder.weight_dtype() == "float32");
  CHECK(opened_folder.sha256() == sha256_hex(read_bytes(folder / "model.safetensors")));
  CHECK(opened_folder.bos_id() == 1);
  CHECK(opened_folder.eos_ids() == std::vector<std::int32_t>{2, 9});
  CHECK(opened_folder.generation_defaults().temperature == 0.5);
  CHECK(opened_folder.generation_defaults().top_k == 7);
  CHECK(opened_folder.generation_defaults().do_sample == true);
  CHECK_FALSE(opened_folder.generation_defaults().top_p);
  CHECK(opened_folder.tokenizer().size() == 300);
}

TEST_CASE("without score layers the nats block means nothing") {
  const TemporaryFolder folder;
  TinyModel model;
  model.remove("model.layers.0.self_attn.proj_layer.weight");
  model.remove("model.layers.1.self_attn.proj_layer.weight");
  model.write(folder.path());
  CHECK_FALSE(opened(folder.path()).has_score_layers());
}

TEST_CASE("tied weights are one view and counted once; a stored copy of the head must be one") {
  const TemporaryFolder folder;
  TinyModel model(Json{{"tie_word_embeddings", true}});
  model.write(folder.path());
  const std::int64_t parameters = opened(folder.path()).weights().parameter_count();
  const ModelFolder tied = opened(folder.path());
  CHECK(tied.weights().lm_head.data == tied.weights().embed.data);
  CHECK(parameters == static_cast<std::int64_t>(opened(folder.path()).weight_bytes() / 4));

  test::TinyTensor head = model.tensor("model.embed_tokens.weight");
  head.name = "lm_head.weight";
  model.tensors.push_back(head);
  model.write(folder.path());
  CHECK(opened(folder.path()).weights().parameter_count() == parameters);
}

TEST_CASE("all families and weight dtypes bind") {
  const TemporaryFolder folder;
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    TinyModel(Json::object(), dtype).write(folder.path());
    CHECK(opened(folder.path()).weights().layers[0].q.dtype == dtype);
  }
  TinyModel(Json{{"attention_bias", true}, {"mlp_bias", true}}).write(folder.path());
  CHECK(opened(folder.path()).weights().layers[1].o_bias.present());
  CHECK(opened(folder.path()).weights().layers[1].down_bias.present());
  TinyModel(Json{{"model_type", "qwen2"}, {"architectures", {"Qwen2ForCausalLM"}}}).write(folder.path());
  CHECK(opened(folder.path()).weights().layers[1].v_bias.cols == 16);
  CHECK_FALSE(opened(folder.path()).weights().layers[1].o_bias.present());
  TinyModel(Json{{"model_type", "qwen3"}, {"architectures", {"Qwen3ForCausalLM"}}, {"head_dim", 16}})
      .write(folder.path());
  CHECK(opened(folder.path()).weights().layers[1].k_norm.cols == 16);
  CHECK(opened(folder.path()).weights().layers[1].o.cols == 64);
}

TEST_CASE("what a family stores as one matrix is seen as its parts, aligned or not") {
  const TemporaryFolder folder;
  TinyModel llama;
  const TinyModel phi3(Json{{"model_type", "phi3"}, {"architectures", {"Phi3ForCausalLM"}}});
  phi3.write(folder.path());
  for (const std::size_t shift : {0, 3}) {
    write_bytes(folder / "model.safetensors", shifted(test::safetensors_bytes(phi3.tensors), shift));
    const ModelFolder model = opened(folder.path());
    for (std::size_t layer = 0; layer < 2; ++layer) {
      const LayerWeights& views = model.weights().layers[layer];
      const std::string block = "model.layers." + std::to_string(layer) + ".";
      CHECK(views.k.mapped == (shift == 0));
      CHECK(views.k.rows == 16);
      CHECK(holds(views.q, llama.tensor(block + "self_attn.q_proj.weight")));
      CHECK(holds(views.k, llama.tensor(block + "self_attn.k_proj.weight")));
      CHECK(holds(views.v, llama.tensor(block + "self_attn.v_proj.weight")));
      CHECK(holds(views.gate, llama.tensor(block + "mlp.gate_proj.weight")));
      CHECK(holds(views.up, llama.tensor(block + "mlp.up_proj.weight")));
    }
  }
}

TEST_CASE("data that is not aligned is copied, data that is stays mapped") {
  const TemporaryFolder folder;
  TinyModel model;
  for (const std::size_t shift : {0, 1, 2, 3, 4}) {
    model.write(folder.path());
    write_bytes(folder / "model.safetensors", shifted(test::safetensors_bytes(model.tensors), shift));
    const ModelFolder opened_folder = opened(folder.path());
    const WeightView& view = opened_folder.weights().layers[1].gate;
    CHECK(view.mapped == (shift % 4 == 0));
    CHECK(reinterpret_cast<std::uintptr_t>(view.data) % 4 == 0);
    CHECK(holds(view, model.tensor("model.layers.1.mlp.gate_proj.weight")));
  }
}

TEST_CASE("weights in shards, under another name, behind links") {
  const TemporaryFolder folder;
  const TinyModel model;
  model.write(folder.path());
  const std::string whole = opened(folder.path()).sha256();
  fs::rename(folder / "model.safetensors", folder / "weights.safetensors");
  CHECK(opened(folder.path()).sha256() == whole);
  fs::create_directory(folder / "blobs");
  fs::rename(folder / "weights.safetensors", folder / "blobs/abc");
  fs::create_symlink("blobs/abc", folder / "model.safetensors");
  CHECK(opened(folder.path()).sha256() == whole);
  fs::remove(folder / "model.safetensors");

  const std::vector<test::TinyTensor> first(model.tensors.begin(), model.tensors.begin() + 5);
  const std::vector<test::TinyTensor> second(model.tensors.begin() + 5, model.tensors.end());
  Json map = Json::object();
  for (const auto& tensor : first) map[tensor.name] = "model-00001-of-00002.safetensors";
  for (const auto& tensor : second) map[tensor.name] = "model-00002-of-00002.safetensors";
  write_bytes(folder / "model-00001-of-00002.safetensors", test::safetensors_bytes(first));
  write_bytes(folder / "model-00002-of-00002.safetensors", test::safetensors_bytes(second));
  write_bytes(folder / "model.safetensors.index.json",
              Json{{"metadata", {{"total_size", 1}}}, {"weight_map", map}}.dump());
  const ModelFolder sharded = opened(folder.path());
  REQUIRE(sharded.weight_files().size() == 2);
  CHECK(sharded.weight_files()[0].filename() == "model-00001-of-00002.safetensors");
  CHECK(sharded.sha256() == sha256_hex(test::safetensors_bytes(first) + test::safetensors_bytes(second)));
  CHECK(sharded.tensor("model.norm.weight").value().shape == std::vector<std::int64_t>{32});
  CHECK(sharded.tensor("none").error().code == ErrorCode::missing_tensor);
}

TEST_CASE("very many tensors in very many shards") {
  const TemporaryFolder folder;
  const TinyModel model;
  model.write(folder.path());
  fs::rename(folder / "model.safetensors", folder / "whole.safetensors");
  Json map = Json::object();
  for (const auto& tensor : model.tensors) map[tensor.name] = "whole.safetensors";
  constexpr int shards = 1500;
  constexpr int in_each = 80;
  for (int shard = 0; shard < shards; ++shard) {
    std::vector<test::TinyTensor> tensors;
    const std::string name = std::to_string(shard) + ".safetensors";
    for (int i = 0; i < in_each; ++i) {
      tensors.push_back(
          {std::to_string(shard) + "." + std::to_string(i) + ".rotary_emb.inv_freq", DType::f32, {0}, ""});
      map[tensors.back().name] = name;
    }
    write_bytes(folder / name, test::safetensors_bytes(tensors));
  }
  write_bytes(folder / "model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  const double seconds =
      test::processor_seconds_of([&] { CHECK(opened(folder.path()).weight_files().size() == shards + 1); });
  CHECK(seconds < 5);  // no tensor looks at every shard
}

TEST_CASE("copies share one model and outlive the first") {
  const TemporaryFolder folder;
  TinyModel model;
  model.write(folder.path());
  std::optional<ModelFolder> first = opened(folder.path());
  const ModelFolder second = *first;
  first.reset();
  CHECK(holds(second.weights().norm, model.tensor("model.norm.weight")));
}

TEST_CASE("old exporters' rotary tables are ignored") {
  const TemporaryFolder folder;
  TinyModel model;
  model.tensors.push_back(
      test::random_tensor("model.layers.0.self_attn.rotary_emb.inv_freq", {4}, DType::f32, 3, 1.0F));
  model.write(folder.path());
  CHECK(opened(folder.path()).has_score_layers());
}

TEST_CASE(
    "what stands in front of texts: a template's token, else config's, unless the tokenizer's settings say none") {
  struct Files {
    const char* tokenizer_json;
    bool has_sentencepiece = false;
    const char* settings = nullptr;
  };
  const auto open = [](const Files& files) {
    const TemporaryFolder folder;
    TinyModel model(nlohmann::json{{"vocab_size", 600}, {"bos_token_id", 7}});
    if (!files.has_sentencepiece) model.tokenizer.clear();
    model.write(folder.path());
    std::filesystem::copy_file(std::filesystem::path(NATSCOPE_TESTS_DIR) / "data/hf_tokenizers" / files.tokenizer_json,
                               folder / "tokenizer.json");
    if (files.settings != nullptr) write_bytes(folder / "tokenizer_config.json", files.settings);
    auto opened = ModelFolder::open(folder.path());
    if (!opened) FAIL(format_error_line(opened.error()));
    return *opened;
  };
  CHECK(open({"qwen2.json"}).tokenizer().format() == "huggingface");
  CHECK(open({"qwen2.json", true}).tokenizer().format() == "sentencepiece");
  CHECK(open({"llama2.json"}).bos_id() == 1);
  CHECK(open({"llama2.json", false, R"({"add_bos_token": false})"}).bos_id() == 1);
  // Without a template: the rules' own folder has no settings, Hugging Face's has.
  CHECK(open({"qwen2.json"}).bos_id() == 7);
  CHECK_FALSE(open({"qwen2.json", false, R"({"add_bos_token": false, "bos_token": null})"}).bos_id().has_value());
  CHECK_FALSE(open({"qwen2.json", false, R"({"model_max_length": 1024})"}).bos_id().has_value());
  CHECK(open({"qwen2.json", false, R"({"add_bos_token": true})"}).bos_id() == 7);
  CHECK(open({"qwen2.json", true}).bos_id() == 7);
  CHECK(open({"qwen2.json", true, R"({"model_max_length": 1024})"}).bos_id() == 7);
  CHECK_FALSE(open({"qwen2.json", true, R"({"add_bos_token": false})"}).bos_id().has_value());
}

TEST_CASE("a tokenizer.model of tiktoken's is said to be one, and the tokenizer.json beside it taken") {
  const TemporaryFolder folder;
  TinyModel model(nlohmann::json{{"vocab_size", 600}});
  model.tokenizer = "IQ== 0\nIg== 1\nIw== 2\n";
  model.write(folder.path());
  const auto refused = ModelFolder::open(folder.path());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::unsupported_tokenizer);
  CHECK(refused.error().message.find("tiktoken") != std::string::npos);
  CHECK(refused.error().hint.find("tokenizer.json") != std::string::npos);
  std::filesystem::copy_file(std::filesystem::path(NATSCOPE_TESTS_DIR) / "data/hf_tokenizers/llama3.json",
                             folder / "tokenizer.json");
  CHECK(opened(folder.path()).tokenizer().format() == "huggingface");
  for (const char* const broken : {"IQ== \n", " 0\n", "IQ==\n", "I-== 0\n", "IQ== x\n", "\n"}) {
    write_bytes(folder / "tokenizer.model", broken);
    CAPTURE(broken);
    CHECK(ModelFolder::open(folder.path()).error().code == ErrorCode::bad_tokenizer);
  }
}

}  // namespace
}  // namespace natscope
