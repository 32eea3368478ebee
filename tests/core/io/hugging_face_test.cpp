// SPDX-License-Identifier: GPL-3.0-or-later
// The folders that transformers wrote (tests/data/hf): that they open, and as what. Their logits are compared in
// tests/core/engine.
#include <doctest/doctest.h>

#include "core/io/model_folder.h"

namespace natscope {
namespace {

struct Fixture {
  const char* name;
  const char* architecture;
  std::int64_t parameters;  ///< as transformers counts them
  const char* dtype;
  RopeKind rope;
  std::size_t files;
  int context = 256;
};

TEST_CASE("Hugging Face folders open as what they are") {
  for (const Fixture& fixture :
       {Fixture{"llama", "LlamaForCausalLM", 66288, "float32", RopeKind::llama3, 1},
        Fixture{"llama_linear_tied", "LlamaForCausalLM", 30944, "bfloat16", RopeKind::linear, 1},
        Fixture{"mistral", "MistralForCausalLM", 37024, "float32", RopeKind::none, 3},
        Fixture{"qwen2", "Qwen2ForCausalLM", 38176, "float16", RopeKind::none, 1},
        Fixture{"qwen3", "Qwen3ForCausalLM", 34528, "float32", RopeKind::none, 1},
        Fixture{"qwen3_yarn", "Qwen3ForCausalLM", 44256, "bfloat16", RopeKind::yarn, 1},
        Fixture{"phi3", "Phi3ForCausalLM", 38048, "bfloat16", RopeKind::none, 2},
        Fixture{"phi3_longrope", "Phi3ForCausalLM", 88384, "float32", RopeKind::longrope, 1, 64},
        Fixture{"smollm3", "SmolLM3ForCausalLM", 28512, "float16", RopeKind::none, 1},
        Fixture{"granite", "GraniteForCausalLM", 28320, "bfloat16", RopeKind::none, 1}}) {
    CAPTURE(fixture.name);
    const std::filesystem::path path = std::filesystem::path(NATSCOPE_TESTS_DIR) / "data/hf" / fixture.name;
    const auto folder = ModelFolder::open(path);
    if (!folder) FAIL(format_error_line(folder.error()));
    CHECK(folder->config().architecture == fixture.architecture);
    CHECK(folder->weights().parameter_count() == fixture.parameters);
    CHECK(folder->weight_dtype() == fixture.dtype);
    CHECK(folder->config().rope.kind == fixture.rope);
    CHECK(folder->weight_files().size() == fixture.files);
    CHECK_FALSE(folder->has_score_layers());
    CHECK(folder->config().context == fixture.context);
    CHECK(folder->config().longest_context == 256);
    CHECK(folder->bos_id() == 1);
    CHECK(folder->eos_ids() == std::vector<std::int32_t>{2});

    const auto logits = SafetensorsFile::open(path / "logits.safetensors");
    REQUIRE(logits);
    CHECK(tensor_values<std::int64_t>(*logits->find("input_ids")).value().size() == 48);
    CHECK(logits->find("logits")->shape == std::vector<std::int64_t>{48, 304});
    const std::string text = "Twas brillig,\nand 12 é";
    CHECK(folder->tokenizer().decode(folder->tokenizer().encode(text).value()).value() == text);
  }
}

}  // namespace
}  // namespace natscope
