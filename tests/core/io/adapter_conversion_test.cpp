// SPDX-License-Identifier: GPL-3.0-or-later
// Files that torch.save wrote (tests/data/torch_adapter) as adapter folders, against the same tensors as safetensors.
#include "core/io/adapter_conversion.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/io/model_folder.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "core/io/torch_archive.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

fs::path fixture(const std::string& name) { return fs::path(NATSCOPE_TESTS_DIR) / "data/torch_adapter" / name; }

AdapterConversion conversion_of(const std::string& name, const TemporaryFolder& folder) {
  AdapterConversion conversion;
  conversion.weights = fixture(name);
  conversion.base = fs::path(NATSCOPE_TESTS_DIR) / "data/hf/llama";
  conversion.out = folder / "adapter";
  return conversion;
}

TEST_CASE("what torch.save wrote becomes an adapter that opens, tensor by tensor") {
  struct Case {
    const char* name;
    DType dtype;
    int rank;
    std::vector<std::string> targets;
  };
  for (const Case& expected :
       {Case{"scores_f32", DType::f32, 0, {}}, Case{"lora_bf16", DType::bf16, 2, {"q_proj", "k_proj"}},
        Case{"ordered_f16", DType::f16, 0, {}}, Case{"torchtune_f32", DType::f32, 2, {"q_proj", "k_proj", "o_proj"}}}) {
    CAPTURE(std::string(expected.name));
    const TemporaryFolder folder;
    AdapterConversion conversion = conversion_of(std::string(expected.name) + ".pth", folder);
    conversion.window = 128;
    conversion.global_bias = 0.25;
    conversion.sparse_regularized_value = 3e-7;
    conversion.lora_alpha = 6;
    const auto converted = convert_adapter(conversion);
    if (!converted) FAIL(format_error_line(converted.error()));
    CHECK(converted->layers == 2);
    CHECK(converted->lora_rank == expected.rank);
    CHECK(converted->lora_targets == expected.targets);

    const auto twin = SafetensorsFile::open(fixture(std::string(expected.name) + ".safetensors"));
    const auto made = SafetensorsFile::open(conversion.out / "adapter.safetensors");
    REQUIRE(twin);
    REQUIRE(made);
    REQUIRE(made->tensors().size() == twin->tensors().size());
    CHECK(converted->tensors == twin->tensors().size());
    for (const TensorInfo& tensor : twin->tensors()) {
      CAPTURE(tensor.name);
      const TensorInfo* const found = made->find(tensor.name);
      REQUIRE(found != nullptr);
      CHECK(found->dtype == expected.dtype);
      CHECK(found->shape == tensor.shape);
      CHECK(std::equal(found->data.begin(), found->data.end(), tensor.data.begin(), tensor.data.end()));
    }

    const auto opened = ModelFolder::open(conversion.base, conversion.out);
    if (!opened) FAIL(format_error_line(opened.error()));
    CHECK(opened->config().nats->window == 128);
    CHECK(opened->config().nats->global_bias == 0.25);
    CHECK(opened->config().nats->sparse_regularized_value == 3e-7);
    CHECK(opened->weights().layers[1].score.rows == 6);
    CHECK(opened->weights().layers[0].q_lora.present() == (expected.rank > 0));
    if (expected.rank > 0) CHECK(opened->weights().layers[0].q_lora.scale == 3.0F);
    // The folder alone opens too: it says where its base is.
    CHECK(ModelFolder::open(conversion.out));
  }
}

/// The same model with the biases that a Qwen2 has.
void write_as_qwen2(const fs::path& llama, const fs::path& folder) {
  fs::copy(llama, folder);
  auto config = nlohmann::json::parse(test::read_bytes(folder / "config.json"));
  config["architectures"] = {"Qwen2ForCausalLM"};
  config["model_type"] = "qwen2";
  test::write_bytes(folder / "config.json", config.dump());
  const auto weights = SafetensorsFile::open(llama / "model.safetensors");
  REQUIRE(weights);
  std::vector<TensorToWrite> tensors;
  const std::vector<std::byte> zeros(4096);
  for (const TensorInfo& tensor : weights->tensors()) {
    tensors.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.data, {}});
    for (const char* const name : {"q_proj", "k_proj", "v_proj"}) {
      if (!tensor.name.ends_with(std::string(name) + ".weight")) continue;
      const std::size_t bytes = static_cast<std::size_t>(tensor.shape[0]) * item_bytes(tensor.dtype);
      const std::string bias = tensor.name.substr(0, tensor.name.size() - 6) + "bias";
      tensors.push_back({bias, tensor.dtype, {tensor.shape[0]}, std::span(zeros).first(bytes), {}});
    }
  }
  REQUIRE(write_safetensors(folder / "model.safetensors", tensors, {}));
}

TEST_CASE("torchtune's rows are put into order for the families that it turns, and for no other") {
  const auto row_bytes = [](const SafetensorsFile& file) {
    const TensorInfo* const tensor = file.find("model.layers.0.self_attn.q_proj.lora_b");
    REQUIRE(tensor != nullptr);
    return std::vector<std::byte>(tensor->data.begin(), tensor->data.end());
  };
  const TemporaryFolder folder;
  AdapterConversion conversion = conversion_of("torchtune_f32.pth", folder);
  conversion.window = 8;
  REQUIRE(convert_adapter(conversion));
  // The same sizes, of a family whose rotation takes halves there, too.
  AdapterConversion other = conversion;
  write_as_qwen2(conversion.base, folder / "qwen");
  other.base = folder / "qwen";
  other.out = folder / "of_qwen";
  REQUIRE(convert_adapter(other));
  const auto turned = row_bytes(*SafetensorsFile::open(conversion.out / "adapter.safetensors"));
  const auto kept = row_bytes(*SafetensorsFile::open(other.out / "adapter.safetensors"));
  CHECK(turned != kept);
  const auto stored = *read_torch_archive(fixture("torchtune_f32.pth"));
  const auto own = std::ranges::find(stored, std::string("layers.0.attn.q_proj.lora_b.weight"), &TorchTensor::name);
  REQUIRE(own != stored.end());
  CHECK(kept == std::vector<std::byte>(own->data.begin(), own->data.end()));
}

TEST_CASE("an adapter is not written over") {
  const TemporaryFolder folder;
  const AdapterConversion conversion = conversion_of("scores_f32.pth", folder);
  REQUIRE(convert_adapter(conversion));
  const auto again = convert_adapter(conversion);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ErrorCode::usage);
}

TEST_CASE("what torch.save writes for other things is refused, with the reason, and leaves nothing") {
  const std::pair<const char*, const char*> cases[] = {
      {"bad_transposed.pth", "strides"},
      {"bad_shared.pth", "not its whole storage"},
      {"bad_f64.pth", "F64"},
      {"bad_float32_inf.pth", "infinities or NaN"},
      {"bad_bfloat16_nan.pth", "layers.1.self_attn.proj_layer.weight holds infinities or NaN"},
      {"bad_float16_inf.pth", "infinities or NaN"},
      {"bad_parameter.pth", "_rebuild_parameter"},
      {"bad_state_dict.pth", "no tensor"},
      {"bad_before_zip.pth", "no zip archive"},
      {"scores_f32.safetensors", "no zip archive"},
  };
  for (const auto& [name, reason] : cases) {
    CAPTURE(std::string(name));
    const TemporaryFolder folder;
    const auto converted = convert_adapter(conversion_of(name, folder));
    REQUIRE_FALSE(converted);
    CAPTURE(converted.error().message);
    CHECK(converted.error().code == ErrorCode::bad_adapter);
    CHECK(converted.error().message.find(reason) != std::string::npos);
    CHECK(folder.names().empty());
  }
}

TEST_CASE("an adapter of another model is refused") {
  const TemporaryFolder folder;
  AdapterConversion conversion = conversion_of("scores_f32.pth", folder);
  for (const char* const other : {"mistral", "qwen3"}) {
    conversion.base = fs::path(NATSCOPE_TESTS_DIR) / "data/hf" / other;
    const auto converted = convert_adapter(conversion);
    REQUIRE_FALSE(converted);
    CHECK(converted.error().code == ErrorCode::bad_adapter);
  }
  CHECK(folder.names().empty());
}

TEST_CASE("a base whose path JSON cannot hold is refused, and nothing is written") {
  const TemporaryFolder folder;
  AdapterConversion conversion = conversion_of("scores_f32.pth", folder);
  fs::create_directory_symlink(conversion.base, folder / "b\xff");
  conversion.base = folder / "b\xff";
  REQUIRE(ModelFolder::open(conversion.base));
  const auto converted = convert_adapter(conversion);
  REQUIRE_FALSE(converted);
  CHECK(converted.error().code == ErrorCode::usage);
  CHECK_FALSE(fs::exists(conversion.out));
}

}  // namespace
}  // namespace natscope
