// SPDX-License-Identifier: GPL-3.0-or-later
// Model folders that must be refused, each broken in one place, each with its code.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <functional>
#include <string>
#include <vector>

#include "core/io/model_folder.h"
#include "tests/support/sentencepiece_bytes.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using test::TemporaryFolder;
using test::TinyModel;
using test::write_bytes;

/// Breaks the model before it is written, or the folder afterwards.
struct Case {
  const char* what;
  ErrorCode code;
  std::function<void(TinyModel&)> before;
  std::function<void(const fs::path&)> after = {};
};

const std::string q1 = "model.layers.1.self_attn.q_proj.weight";
const std::string score0 = "model.layers.0.self_attn.proj_layer.weight";

void whole(TinyModel&) {}

void check_refused(const std::vector<Case>& cases) {
  for (const Case& bad : cases) {
    CAPTURE(bad.what);
    const TemporaryFolder folder;
    TinyModel model;
    bad.before(model);
    model.write(folder.path());
    if (bad.after) bad.after(folder.path());
    const auto opened = ModelFolder::open(folder.path());
    REQUIRE_FALSE(opened);
    CHECK(std::string(name(opened.error().code)) == name(bad.code));
    CHECK(exit_code(opened.error().code) == 3);
    CHECK_FALSE(opened.error().message.empty());
  }
  MESSAGE(cases.size() << " folders refused");
}

test::TinyTensor tensor(const std::string& name, std::vector<std::int64_t> shape, DType dtype = DType::f32) {
  test::TinyTensor made = test::random_tensor(name, std::move(shape), DType::f32, 5, 1.0F);
  if (dtype != DType::f32) {
    made.bytes.resize(made.bytes.size() / 4 * item_bytes(dtype));
    made.dtype = dtype;
  }
  return made;
}

TEST_CASE("weights that do not fit the config") {
  check_refused({
      {"a missing projection", ErrorCode::missing_tensor, [](TinyModel& m) { m.remove(q1); }},
      {"a missing norm", ErrorCode::missing_tensor, [](TinyModel& m) { m.remove("model.norm.weight"); }},
      {"a missing embedding", ErrorCode::missing_tensor, [](TinyModel& m) { m.remove("model.embed_tokens.weight"); }},
      {"a missing head", ErrorCode::missing_tensor, [](TinyModel& m) { m.remove("lm_head.weight"); }},
      {"one missing score layer", ErrorCode::missing_tensor, [](TinyModel& m) { m.remove(score0); }},
      {"no tensors at all", ErrorCode::missing_tensor, [](TinyModel& m) { m.tensors.clear(); }},
      {"more layers in the config", ErrorCode::missing_tensor, [](TinyModel& m) { m.config["num_hidden_layers"] = 3; }},
      {"fewer layers in the config", ErrorCode::unexpected_tensor,
       [](TinyModel& m) { m.config["num_hidden_layers"] = 1; }},
      {"another shape", ErrorCode::bad_tensor_shape,
       [](TinyModel& m) {
         m.tensor(q1) = tensor(q1, {32, 31});
       }},
      {"a transposed shape", ErrorCode::bad_tensor_shape,
       [](TinyModel& m) {
         m.tensor("model.layers.0.mlp.up_proj.weight") = tensor("model.layers.0.mlp.up_proj.weight", {32, 48});
       }},
      {"a vector for a matrix", ErrorCode::bad_tensor_shape, [](TinyModel& m) { m.tensor(q1) = tensor(q1, {1024}); }},
      {"a scalar norm", ErrorCode::bad_tensor_shape,
       [](TinyModel& m) { m.tensor("model.norm.weight") = tensor("model.norm.weight", {}); }},
      {"an empty tensor", ErrorCode::bad_tensor_shape,
       [](TinyModel& m) {
         m.tensor(q1) = tensor(q1, {0, 32});
       }},
      {"a larger vocabulary in the config", ErrorCode::bad_tensor_shape,
       [](TinyModel& m) { m.config["vocab_size"] = 301; }},
      {"another head_dim in the config", ErrorCode::bad_tensor_shape, [](TinyModel& m) { m.config["head_dim"] = 16; }},
      {"score layers of another kv_heads", ErrorCode::bad_tensor_shape,
       [](TinyModel& m) {
         m.tensor(score0) = tensor(score0, {12, 32});
       }},
      {"integer weights", ErrorCode::bad_tensor_dtype,
       [](TinyModel& m) {
         m.tensor(q1) = tensor(q1, {32, 32}, DType::i32);
       }},
      {"double weights", ErrorCode::bad_tensor_dtype,
       [](TinyModel& m) {
         m.tensor(q1) = tensor(q1, {32, 32}, DType::f64);
       }},
      {"eight-bit weights", ErrorCode::bad_tensor_dtype,
       [](TinyModel& m) {
         m.tensor(q1) = tensor(q1, {32, 32}, DType::f8_e4m3);
       }},
      {"a bias that Llama does not announce", ErrorCode::unexpected_tensor,
       [](TinyModel& m) { m.tensors.push_back(tensor("model.layers.0.self_attn.q_proj.bias", {32})); }},
      {"a q norm in Llama", ErrorCode::unexpected_tensor,
       [](TinyModel& m) { m.tensors.push_back(tensor("model.layers.0.self_attn.q_norm.weight", {8})); }},
      {"quantization scales", ErrorCode::unexpected_tensor,
       [](TinyModel& m) { m.tensors.push_back(tensor("model.layers.0.self_attn.q_proj.weight_scale", {1})); }},
      {"experts", ErrorCode::unexpected_tensor,
       [](TinyModel& m) {
         m.tensors.push_back(tensor("model.layers.0.mlp.experts.0.w1.weight", {48, 32}));
       }},
      {"a tied head that differs", ErrorCode::unexpected_tensor,
       [](TinyModel& m) { m.config["tie_word_embeddings"] = true; }},
      {"score layers without nats.window", ErrorCode::bad_config, [](TinyModel& m) { m.config.erase("nats"); }},
      {"names without their prefix", ErrorCode::missing_tensor,
       [](TinyModel& m) {
         for (auto& t : m.tensors) t.name = "transformer." + t.name;
       }},
  });
}

Json good_index(const TinyModel& model, const std::string& shard) {
  Json map = Json::object();
  for (const auto& t : model.tensors) map[t.name] = shard;
  return {{"metadata", {{"total_size", 1}}}, {"weight_map", map}};
}

/// Moves the weights into one shard "a.safetensors" and writes `change` of the index that belongs to it.
std::function<void(const fs::path&)> index(const std::function<void(Json&)>& change) {
  return [change](const fs::path& path) {
    fs::rename(path / "model.safetensors", path / "a.safetensors");
    Json json = good_index(TinyModel(), "a.safetensors");
    change(json);
    write_bytes(path / "model.safetensors.index.json", json.dump());
  };
}

TEST_CASE("a good index is taken") {
  const TemporaryFolder folder;
  TinyModel().write(folder.path());
  index([](Json&) {})(folder.path());
  CHECK(ModelFolder::open(folder.path()));
}

TEST_CASE("bad indexes") {
  constexpr ErrorCode bad = ErrorCode::bad_index;
  const auto shard = [](const std::string& name) { return index([name](Json& j) { j["weight_map"][q1] = name; }); };
  std::vector<Case> cases = {
      {"an index that is a list", bad, whole, index([](Json& j) { j = Json::array({1}); })},
      {"no weight_map", bad, whole, index([](Json& j) { j.erase("weight_map"); })},
      {"an empty weight_map", bad, whole, index([](Json& j) { j["weight_map"] = Json::object(); })},
      {"a weight_map that is a list", bad, whole, index([](Json& j) { j["weight_map"] = Json::array({"a"}); })},
      {"a shard that is a number", bad, whole, index([](Json& j) { j["weight_map"][q1] = 3; })},
      {"a shard that is null", bad, whole, index([](Json& j) { j["weight_map"][q1] = nullptr; })},
      {"a tensor that is not in its shard", bad, whole,
       index([](Json& j) { j["weight_map"]["none"] = "a.safetensors"; })},
      {"a shard that is not there", bad, whole, shard("b.safetensors")},
      {"a shard of another kind", bad, whole, shard("config.json")},
      {"a shard above", bad, whole, shard("../a.safetensors")},
      {"a shard below", bad, whole, shard("sub/a.safetensors")},
      {"an absolute shard", bad, whole, shard("/tmp/a.safetensors")},
      {"a shard behind a backslash", bad, whole, shard("sub\\a.safetensors")},
      {"an empty shard name", bad, whole, shard("")},
      {"the folder itself", bad, whole, shard(".")},
      {"the folder above", bad, whole, shard("..")},
      {"a zero byte in a shard name", bad, whole, shard(std::string("a\0.safetensors", 14))},
      {"a very long shard name", bad, whole, shard(std::string(5000, 'a') + ".safetensors")},
      {"two shards with the same tensor", bad, whole,
       [](const fs::path& path) {
         index([](Json& j) { j["weight_map"][q1] = "b.safetensors"; })(path);
         fs::copy(path / "a.safetensors", path / "b.safetensors");
       }},
      {"an index that is no JSON", bad, whole,
       [](const fs::path& path) {
         fs::remove(path / "model.safetensors");
         write_bytes(path / "model.safetensors.index.json", "{\"weight_map\": {");
       }},
      {"an index with a key twice", bad, whole,
       [](const fs::path& path) {
         fs::remove(path / "model.safetensors");
         write_bytes(path / "model.safetensors.index.json",
                     R"({"weight_map": {"a": "x.safetensors", "a": "x.safetensors"}})");
       }},
      {"a broken shard", ErrorCode::bad_safetensors, whole,
       [](const fs::path& path) {
         index([](Json&) {})(path);
         write_bytes(path / "a.safetensors", "12345678");
       }},
      {"a shard that is a folder", ErrorCode::not_a_regular_file, whole,
       [](const fs::path& path) {
         index([](Json&) {})(path);
         fs::remove(path / "a.safetensors");
         fs::create_directory(path / "a.safetensors");
       }},
      {"an index that is a folder", ErrorCode::not_a_regular_file, whole,
       [](const fs::path& path) {
         fs::remove(path / "model.safetensors");
         fs::create_directory(path / "model.safetensors.index.json");
       }},
  };
  check_refused(cases);
}

std::function<void(const fs::path&)> replaced(const char* file, std::string bytes) {
  return [file, bytes](const fs::path& path) { write_bytes(path / file, bytes); };
}

std::function<void(const fs::path&)> as_folder(const char* file) {
  return [file](const fs::path& path) {
    fs::remove(path / file);
    fs::create_directory(path / file);
  };
}

std::function<void(const fs::path&)> as_pipe(const char* file) {
  return [file](const fs::path& path) {
    fs::remove(path / file);
    REQUIRE(::mkfifo((path / file).c_str(), 0600) == 0);
  };
}

std::function<void(const fs::path&)> removed(const char* file) {
  return [file](const fs::path& path) { fs::remove(path / file); };
}

TEST_CASE("files that are missing, broken or no files") {
  check_refused({
      {"no config", ErrorCode::bad_config, whole, removed("config.json")},
      {"an empty config", ErrorCode::bad_config, whole, replaced("config.json", "")},
      {"a config that is no JSON", ErrorCode::bad_config, whole, replaced("config.json", "model_type = llama")},
      {"a config in UTF-16", ErrorCode::bad_config, whole, replaced("config.json", std::string("\xff\xfe{\0}\0", 6))},
      {"a config nested a million deep", ErrorCode::bad_config, whole,
       replaced("config.json", std::string(1'000'000, '['))},
      {"a config with a key twice", ErrorCode::bad_config, whole,
       replaced("config.json", R"({"hidden_size": 32, "hidden_size": 32})")},
      {"a config of 20 MB", ErrorCode::bad_config, whole, replaced("config.json", std::string(20'000'000, ' '))},
      {"a config that is a folder", ErrorCode::not_a_regular_file, whole, as_folder("config.json")},
      {"a config that is a pipe", ErrorCode::not_a_regular_file, whole, as_pipe("config.json")},
      {"no weights", ErrorCode::missing_weights, whole, removed("model.safetensors")},
      {"only pickled weights", ErrorCode::missing_weights, whole,
       [](const fs::path& path) { fs::rename(path / "model.safetensors", path / "pytorch_model.bin"); }},
      {"several files without an index", ErrorCode::missing_weights, whole,
       [](const fs::path& path) {
         fs::copy(path / "model.safetensors", path / "b.safetensors");
         fs::rename(path / "model.safetensors", path / "a.safetensors");
       }},
      {"weights that are a folder", ErrorCode::not_a_regular_file, whole, as_folder("model.safetensors")},
      {"weights that are a pipe", ErrorCode::not_a_regular_file, whole, as_pipe("model.safetensors")},
      {"weights that are a link to nothing", ErrorCode::file_not_found, whole,
       [](const fs::path& path) {
         fs::remove(path / "model.safetensors");
         fs::create_symlink("nowhere", path / "model.safetensors");
       }},
      {"weights that are a device", ErrorCode::not_a_regular_file, whole,
       [](const fs::path& path) {
         fs::remove(path / "model.safetensors");
         fs::create_symlink("/dev/zero", path / "model.safetensors");
       }},
      {"empty weights", ErrorCode::bad_safetensors, whole, replaced("model.safetensors", "")},
      {"weights cut in the middle", ErrorCode::bad_safetensors, whole,
       [](const fs::path& path) { fs::resize_file(path / "model.safetensors", 20'000); }},
      {"no tokenizer", ErrorCode::missing_tokenizer, [](TinyModel& m) { m.tokenizer.clear(); }},
      {"a tokenizer.json without a model", ErrorCode::bad_tokenizer, [](TinyModel& m) { m.tokenizer.clear(); },
       replaced("tokenizer.json", "{}")},
      {"a tokenizer.json of another kind", ErrorCode::unsupported_tokenizer, [](TinyModel& m) { m.tokenizer.clear(); },
       replaced("tokenizer.json", R"({"model": {"type": "Unigram", "vocab": []}})")},
      {"a tokenizer.json that is a pipe", ErrorCode::not_a_regular_file, [](TinyModel& m) { m.tokenizer.clear(); },
       as_pipe("tokenizer.json")},
      {"settings of the tokenizer that are no object", ErrorCode::bad_tokenizer, whole,
       replaced("tokenizer_config.json", "[]")},
      {"a beginning token that is neither added nor not", ErrorCode::bad_tokenizer, whole,
       replaced("tokenizer_config.json", R"({"add_bos_token": "yes"})")},
      {"settings of the tokenizer that are a pipe", ErrorCode::not_a_regular_file, whole,
       as_pipe("tokenizer_config.json")},
      {"only vocab.json", ErrorCode::unsupported_tokenizer, [](TinyModel& m) { m.tokenizer.clear(); },
       replaced("vocab.json", "{}")},
      {"only tekken.json", ErrorCode::unsupported_tokenizer, [](TinyModel& m) { m.tokenizer.clear(); },
       replaced("tekken.json", "{}")},
      {"a tokenizer that is a folder", ErrorCode::not_a_regular_file, whole, as_folder("tokenizer.model")},
      {"a tokenizer that is a pipe", ErrorCode::not_a_regular_file, whole, as_pipe("tokenizer.model")},
      {"a tokenizer with more pieces than vocab_size", ErrorCode::bad_tokenizer,
       [](TinyModel& m) {
         auto bytes = test::small_sentencepiece();
         bytes.pieces.push_back(test::proto_piece("zz", -99, test::PieceType::normal));
         m.tokenizer = bytes.serialized();
       }},
  });
}

TEST_CASE("bad generation configs") {
  constexpr ErrorCode bad = ErrorCode::bad_generation_config;
  std::vector<Case> cases;
  for (const char* const text :
       {R"({"temperature": -1})", R"({"temperature": "hot"})", R"({"top_p": 1.5})", R"({"top_p": -0.1})",
        R"({"min_p": 2})", R"({"top_k": -1})", R"({"top_k": 2.5})", R"({"top_k": 99999999999})",
        R"({"repetition_penalty": 0})", R"({"repetition_penalty": -1})", R"({"do_sample": "true"})",
        R"({"eos_token_id": 300})", R"({"eos_token_id": [2, -1]})", R"({"eos_token_id": "x"})", R"([])", "", "{",
        R"({"top_k": 1, "top_k": 2})"}) {
    cases.push_back({text, bad, whole, replaced("generation_config.json", text)});
  }
  cases.push_back({"a folder", ErrorCode::not_a_regular_file, whole,
                   [](const fs::path& path) { fs::create_directory(path / "generation_config.json"); }});
  cases.push_back({"a link to nowhere", ErrorCode::file_not_found, whole,
                   [](const fs::path& path) { fs::create_symlink("nowhere", path / "generation_config.json"); }});
  check_refused(cases);
}

TEST_CASE("paths that are no model folder") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "x");
  CHECK(ModelFolder::open(folder / "none").error().code == ErrorCode::file_not_found);
  CHECK(ModelFolder::open(folder / "file").error().code == ErrorCode::not_a_folder);
  CHECK(ModelFolder::open("").error().code == ErrorCode::file_not_found);
  CHECK(ModelFolder::open("/dev/null").error().code == ErrorCode::not_a_folder);
  CHECK(ModelFolder::open(folder.path()).error().code == ErrorCode::bad_config);
  CHECK(ModelFolder::open(std::string(10'000, 'x')).error().code == ErrorCode::io_failure);
}

}  // namespace
}  // namespace natscope
