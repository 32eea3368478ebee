// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/adapter_export.h"

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/mapped_file.h"
#include "core/base/small_file.h"
#include "core/io/safetensors_writer.h"
#include "core/json/json_limits.h"
#include "core/model/tensor_table.h"
#include "core/train/weights/stored_weights.h"

namespace natscope::train {

namespace fs = std::filesystem;

namespace {

nlohmann::json nats_json(const FinetuneOptions& options) {
  return {{"window", options.window},
          {"global_bias", options.global_bias},
          {"sparse_regularized_value", options.sparse_regularized_value}};
}

/// Whole models keep the type that their base is stored in; f16 becomes bf16, whose range training needs.
bool rounds(const ModelFolder& base, const FinetuneOptions& options) {
  return options.trained == Trained::all && base.weight_dtype() != "float32";
}

Expected<void> copy_if_there(const fs::path& from, const fs::path& to) {
  if (!path_exists(from)) return {};
  NATSCOPE_TRY(const MappedFile file, MappedFile::open(from));
  return write_file_atomically(to, file.bytes());
}

/// The tensors as files of this family hold them: what stands in one matrix there becomes one. Parts of it follow one
/// another, in the order of their rows.
std::vector<TensorToWrite> as_stored(const ModelConfig& config, std::vector<TensorToWrite> tensors) {
  using Parts = std::vector<std::span<const std::byte>>;
  std::map<std::string, std::shared_ptr<Parts>> fused;
  std::vector<TensorToWrite> result;
  for (TensorToWrite& tensor : tensors) {
    const ExpectedTensor stored = stored_rows(config, {tensor.name, tensor.shape}).stored;
    if (stored.name == tensor.name) {
      result.push_back(std::move(tensor));
      continue;
    }
    std::shared_ptr<Parts>& parts = fused[stored.name];
    if (!parts) {
      parts = std::make_shared<Parts>();
      const auto produce = [parts](const TensorSink& sink) -> Expected<void> {
        for (const auto& part : *parts) NATSCOPE_CHECK(sink(part));
        return {};
      };
      result.push_back({stored.name, tensor.dtype, stored.shape, {}, produce});
    }
    parts->push_back(tensor.data);
  }
  return result;
}

}  // namespace

Expected<void> export_finetuned(const fs::path& out, const ModelFolder& base, const FinetuneOptions& options,
                                const ParameterLayout& layout, std::span<const float> weights) {
  std::error_code problem;
  fs::create_directories(out, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(out.string()) + ": " + problem.message());

  const StoredWeights stored(layout, weights, rounds(base, options));
  if (options.trained == Trained::all) {
    std::vector<TensorToWrite> tensors = as_stored(base.config(), stored.tensors());
    if (!base.config().tied) {
      // Not trained: as it was.
      const WeightView& head = base.weights().lm_head;
      tensors.push_back({"lm_head.weight",
                         head.dtype,
                         {head.rows, head.cols},
                         {head.data, static_cast<std::size_t>(head.size_bytes())},
                         {}});
    }
    NATSCOPE_CHECK(write_safetensors(out / "model.safetensors", tensors, {{"format", "pt"}}));
    // With the tokenizer goes what says whether texts get a beginning token, and how a chat is written.
    for (const char* const name : {"tokenizer.model", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                                   "generation_config.json"})
      NATSCOPE_CHECK(copy_if_there(base.path() / name, out / name));
    NATSCOPE_TRY(nlohmann::json config, read_json_file(base.path() / "config.json"));
    config["nats"] = nats_json(options);
    for (const char* const key : {"torch_dtype", "dtype"}) {
      if (config.contains(key)) config[key] = rounds(base, options) ? "bfloat16" : "float32";
    }
    return write_file_atomically(out / "config.json", config.dump(2) + "\n");
  }
  NATSCOPE_CHECK(write_safetensors(out / "adapter.safetensors", stored.tensors(), {{"format", "pt"}}));
  nlohmann::json config{{"base_model", fs::absolute(base.path(), problem).lexically_normal().string()},
                        {"nats", nats_json(options)}};
  if (options.trained == Trained::lora) {
    config["lora"] = {{"rank", options.lora_rank}, {"alpha", options.lora_alpha}, {"targets", options.lora_targets}};
  }
  return write_file_atomically(out / "adapter_config.json", config.dump(2) + "\n");
}

}  // namespace natscope::train
