// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <vector>

#include "core/base/sha256.h"
#include "core/io/model_folder.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using test::TemporaryFolder;
using test::TinyModel;
using test::TinyTensor;
using test::write_bytes;

std::string score_name(int layer) { return "model.layers." + std::to_string(layer) + ".self_attn.proj_layer.weight"; }

std::string lora_name(int layer, const std::string& target, char factor) {
  return "model.layers." + std::to_string(layer) + ".self_attn." + target + ".lora_" + factor;
}

/// Score layers and LoRA of rank 3 on q and o, for the tiny model.
struct TinyAdapter {
  Json config = {{"base_model", "../base"},
                 {"nats", {{"window", 8}, {"global_bias", 0.0}, {"sparse_regularized_value", 3e-7}}},
                 {"lora", {{"rank", 3}, {"alpha", 6}, {"targets", {"q_proj", "o_proj"}}}}};
  std::vector<TinyTensor> tensors;

  TinyAdapter() {
    for (int layer = 0; layer < 2; ++layer) {
      add(score_name(layer), {6, 32});
      for (const char* const target : {"q_proj", "o_proj"}) {
        add(lora_name(layer, target, 'a'), {3, 32});
        add(lora_name(layer, target, 'b'), {32, 3});
      }
    }
  }

  void add(const std::string& name, std::vector<std::int64_t> shape) {
    tensors.push_back(test::random_tensor(name, std::move(shape), DType::f32, tensors.size() + 100, 0.1F));
  }
  void remove(const std::string& name) {
    std::erase_if(tensors, [&](const TinyTensor& t) { return t.name == name; });
  }
  void rename(const std::string& from, const std::string& to) {
    for (TinyTensor& t : tensors) {
      if (t.name == from) t.name = to;
    }
  }
  void write(const fs::path& folder) const {
    fs::create_directories(folder);
    write_bytes(folder / "adapter_config.json", config.dump());
    write_bytes(folder / "adapter.safetensors", test::safetensors_bytes(tensors));
  }
};

/// A base without score layers.
TinyModel plain_base() {
  TinyModel model;
  model.remove(score_name(0));
  model.remove(score_name(1));
  model.config.erase("nats");
  return model;
}

void write_base(const fs::path& folder, const TinyModel& model) {
  fs::create_directories(folder);
  model.write(folder);
}

TEST_CASE("an adapter gives an ordinary model its roles and LoRA factors") {
  const TemporaryFolder folder;
  write_base(folder / "base", plain_base());
  const TinyAdapter adapter;
  adapter.write(folder / "adapter");
  const auto opened = ModelFolder::open(folder / "base", folder / "adapter");
  REQUIRE(opened);
  CHECK(opened->has_score_layers());
  CHECK(opened->config().nats->window == 8);
  const LayerWeights& layer = opened->weights().layers[1];
  CHECK(layer.score.rows == 6);
  CHECK(layer.q_lora.present());
  CHECK(layer.q_lora.a.rows == 3);
  CHECK(layer.q_lora.b.rows == 32);
  CHECK(layer.q_lora.scale == 2.0F);
  CHECK(layer.o_lora.present());
  CHECK_FALSE(layer.k_lora.present());
  CHECK(opened->tensor("none").error().code == ErrorCode::missing_tensor);
  CHECK(std::memcmp(layer.score.data, adapter.tensors[5].bytes.data(), adapter.tensors[5].bytes.size()) == 0);
  CHECK(opened->adapter()->base_model == "../base");
  CHECK(opened->weight_files().size() == 2);
  CHECK(opened->sha256() == sha256_hex(test::read_bytes(folder / "base/model.safetensors") +
                                       test::read_bytes(folder / "adapter/adapter.safetensors")));

  const auto base = ModelFolder::open(folder / "base");
  REQUIRE(base);
  CHECK_FALSE(base->has_score_layers());
  std::int64_t added = 0;
  for (const TinyTensor& t : adapter.tensors) added += static_cast<std::int64_t>(t.bytes.size() / 4);
  CHECK(opened->weights().parameter_count() == base->weights().parameter_count() + added);
  CHECK(opened->weight_bytes() == base->weight_bytes() + static_cast<std::uint64_t>(added * 4));
}

TEST_CASE("LoRA settings may stand without a block of their own") {
  const TemporaryFolder folder;
  write_base(folder / "base", plain_base());
  TinyAdapter adapter;
  adapter.config.erase("lora");
  adapter.config.merge_patch({{"r", 3}, {"alpha", 1.5}, {"targets", {"q_proj", "o_proj"}}});
  adapter.write(folder / "adapter");
  const auto opened = ModelFolder::open(folder / "base", folder / "adapter");
  REQUIRE(opened);
  CHECK(opened->weights().layers[0].q_lora.scale == 0.5F);
}

TEST_CASE("LoRA factors may have the names of the public adapter, and settings those of a fine-tuning job") {
  for (const bool is_short : {false, true}) {
    const TemporaryFolder folder;
    write_base(folder / "base", plain_base());
    TinyAdapter adapter;
    for (TinyTensor& t : adapter.tensors) {
      if (t.name.find("lora_") != std::string::npos) t.name += ".weight";
      if (is_short) t.name = t.name.substr(6);
    }
    adapter.config["lora"] = {{"lora_rank", 3}, {"lora_alpha", 6}, {"lora_targets", {"q", "o"}}, {"dropout", 0.1}};
    adapter.write(folder / "adapter");
    const auto opened = ModelFolder::open(folder / "base", folder / "adapter");
    REQUIRE(opened);
    const LayerWeights& layer = opened->weights().layers[1];
    CHECK(layer.q_lora.scale == 2.0F);
    const auto is_stored = [&](const WeightView& view, std::size_t number) {
      const std::string& bytes = adapter.tensors[number].bytes;
      return std::memcmp(view.data, bytes.data(), bytes.size()) == 0;
    };
    CHECK(is_stored(layer.q_lora.a, 6));
    CHECK(is_stored(layer.o_lora.b, 9));
    CHECK(opened->adapter()->lora->targets == std::vector<std::string>{"q_proj", "o_proj"});
  }
}

TEST_CASE("an adapter folder finds its base by itself") {
  const TemporaryFolder folder;
  write_base(folder / "base", plain_base());
  TinyAdapter().write(folder / "adapter");
  const auto opened = ModelFolder::open(folder / "adapter");
  REQUIRE(opened);
  CHECK(opened->has_score_layers());
  CHECK(opened->adapter_path() == folder / "adapter");
}

TEST_CASE("an adapter's score layers replace the base's, in its own dtype, under the public code's shorter name too") {
  const TemporaryFolder folder;
  write_base(folder / "base", TinyModel());
  TinyAdapter adapter;
  adapter.rename(score_name(0), score_name(0).substr(6));
  adapter.write(folder / "adapter");
  const auto opened = ModelFolder::open(folder / "base", folder / "adapter");
  REQUIRE(opened);
  CHECK(opened->config().nats->window == 8);
  CHECK(std::memcmp(opened->weights().layers[0].score.data, adapter.tensors[0].bytes.data(), 100) == 0);
  CHECK(opened->weights().parameter_count() ==
        ModelFolder::open(folder / "base")->weights().parameter_count() + 2 * 2 * (96 + 96));
}

TEST_CASE("LoRA alone leaves the base's roles") {
  const TemporaryFolder folder;
  write_base(folder / "base", TinyModel());
  TinyAdapter adapter;
  adapter.remove(score_name(0));
  adapter.remove(score_name(1));
  adapter.config.erase("nats");
  adapter.write(folder / "adapter");
  const auto opened = ModelFolder::open(folder / "base", folder / "adapter");
  REQUIRE(opened);
  CHECK(opened->config().nats->window == 4);
}

struct Case {
  const char* what;
  ErrorCode code;
  std::function<void(TinyAdapter&)> before;
  std::function<void(const fs::path&)> after = {};
};

TEST_CASE("bad adapters") {
  constexpr ErrorCode bad = ErrorCode::bad_adapter;
  const auto whole = [](TinyAdapter&) {};
  const std::vector<Case> cases = {
      {"no config", ErrorCode::file_not_found, whole, [](const fs::path& p) { fs::remove(p / "adapter_config.json"); }},
      {"a config that is no JSON", bad, whole, [](const fs::path& p) { write_bytes(p / "adapter_config.json", "{"); }},
      {"a config that is a list", bad, [](TinyAdapter& a) { a.config = Json::array(); }},
      {"a base_model that is a number", bad, [](TinyAdapter& a) { a.config["base_model"] = 3; }},
      {"score layers without a nats block", bad, [](TinyAdapter& a) { a.config.erase("nats"); }},
      {"a nats block without window", bad, [](TinyAdapter& a) { a.config["nats"].erase("window"); }},
      {"a negative window", bad, [](TinyAdapter& a) { a.config["nats"]["window"] = -1; }},
      {"LoRA that is no object", bad, [](TinyAdapter& a) { a.config["lora"] = 8; }},
      {"no rank", bad, [](TinyAdapter& a) { a.config["lora"].erase("rank"); }},
      {"rank 0", bad, [](TinyAdapter& a) { a.config["lora"]["rank"] = 0; }},
      {"a huge rank", bad, [](TinyAdapter& a) { a.config["lora"]["rank"] = 1'000'000'000; }},
      {"no alpha", bad, [](TinyAdapter& a) { a.config["lora"].erase("alpha"); }},
      {"no targets", bad, [](TinyAdapter& a) { a.config["lora"]["targets"] = Json::array(); }},
      {"an unknown target", bad, [](TinyAdapter& a) { a.config["lora"]["targets"] = {"gate_proj"}; }},
      {"a target twice", bad,
       [](TinyAdapter& a) {
         a.config["lora"]["targets"] = {"q_proj", "q_proj", "o_proj"};
       }},
      {"rank under two names", bad, [](TinyAdapter& a) { a.config["lora"]["r"] = 3; }},
      {"rank-stabilised LoRA", bad, [](TinyAdapter& a) { a.config["lora"]["use_rslora"] = true; }},
      {"weight-decomposed LoRA beside the block", bad, [](TinyAdapter& a) { a.config["use_dora"] = true; }},
      {"another kind of LoRA without a block", bad,
       [](TinyAdapter& a) {
         a.config.update(Json(a.config["lora"]));
         a.config.erase("lora");
         a.config["use_dora"] = true;
       }},
      {"rank beside the block that says it", bad, [](TinyAdapter& a) { a.config["r"] = 8; }},
      {"alpha beside the block that says it", bad, [](TinyAdapter& a) { a.config["lora_alpha"] = 99; }},
      {"modules beside the block that says targets", bad,
       [](TinyAdapter& a) { a.config["target_modules"] = {"k_proj"}; }},
      {"modules that are other targets", bad,
       [](TinyAdapter& a) {
         a.config.update(Json(a.config["lora"]));
         a.config.erase("lora");
         a.config["target_modules"] = {"k_proj"};
       }},
      {"another kind of adapter", bad, [](TinyAdapter& a) { a.config["peft_type"] = "LOHA"; }},
      {"biases that were trained, too", bad, [](TinyAdapter& a) { a.config["bias"] = "all"; }},
      {"a setting of LoRA that nobody knows", bad, [](TinyAdapter& a) { a.config["lora"]["scaling"] = 4; }},
      {"a factor with and without torchtune's ending", bad,
       [](TinyAdapter& a) {
         a.add(lora_name(1, "q_proj", 'b') + ".weight", {32, 3});
       }},
      {"factors that are not announced", bad, [](TinyAdapter& a) { a.config.erase("lora"); }},
      {"a layer that the base does not have", bad,
       [](TinyAdapter& a) {
         a.add(score_name(2), {6, 32});
       }},
      {"a tensor of another kind", bad, [](TinyAdapter& a) { a.add("model.norm.weight", {32}); }},
      {"the same score layer under both names", bad,
       [](TinyAdapter& a) {
         a.add(score_name(1).substr(6), {6, 32});
       }},
      {"no tensors", bad, [](TinyAdapter& a) { a.tensors.clear(); }},
      {"no weights", bad, whole, [](const fs::path& p) { fs::remove(p / "adapter.safetensors"); }},
      {"pickled weights", bad, whole,
       [](const fs::path& p) { fs::rename(p / "adapter.safetensors", p / "adapter_weights.pth"); }},
      {"a missing score layer", ErrorCode::missing_tensor, [](TinyAdapter& a) { a.remove(score_name(1)); }},
      {"a missing factor", ErrorCode::missing_tensor, [](TinyAdapter& a) { a.remove(lora_name(1, "q_proj", 'b')); }},
      {"a factor of another rank", ErrorCode::bad_tensor_shape, [](TinyAdapter& a) { a.config["lora"]["rank"] = 4; }},
      {"score layers of another model", ErrorCode::bad_tensor_shape,
       [](TinyAdapter& a) {
         a.remove(score_name(0));
         a.add(score_name(0), {24, 32});
       }},
      {"broken weights", ErrorCode::bad_safetensors, whole,
       [](const fs::path& p) { write_bytes(p / "adapter.safetensors", "x"); }},
      {"weights that are a folder", ErrorCode::not_a_regular_file, whole,
       [](const fs::path& p) {
         fs::remove(p / "adapter.safetensors");
         fs::create_directory(p / "adapter.safetensors");
       }},
  };
  for (const Case& entry : cases) {
    CAPTURE(entry.what);
    const TemporaryFolder folder;
    write_base(folder / "base", plain_base());
    TinyAdapter adapter;
    entry.before(adapter);
    adapter.write(folder / "adapter");
    if (entry.after) entry.after(folder / "adapter");
    const auto opened = ModelFolder::open(folder / "base", folder / "adapter");
    REQUIRE_FALSE(opened);
    CHECK(std::string(name(opened.error().code)) == name(entry.code));
  }
  MESSAGE(cases.size() << " adapters refused");
}

TEST_CASE("an adapter whose base cannot be found says so") {
  const TemporaryFolder folder;
  for (const Json& base : {Json("../none"), Json(""), Json("meta-llama/Llama-3.1-8B"), Json(nullptr)}) {
    TinyAdapter adapter;
    adapter.config["base_model"] = base;
    adapter.write(folder / "adapter");
    CHECK(ModelFolder::open(folder / "adapter").error().code == ErrorCode::bad_adapter);
  }
  CHECK(ModelFolder::open(folder / "adapter", folder / "none").error().code == ErrorCode::file_not_found);
}

}  // namespace
}  // namespace natscope
