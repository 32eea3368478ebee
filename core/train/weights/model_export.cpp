// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/model_export.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/mapped_file.h"
#include "core/io/safetensors_writer.h"
#include "core/train/weights/stored_weights.h"

namespace natscope::train {

namespace fs = std::filesystem;

Expected<void> export_model(const fs::path& out, const ModelConfig& config, const ParameterLayout& layout,
                            std::span<const float> weights, kernels::ElementType dtype, const fs::path& tokenizer,
                            const Policy& policy) {
  std::error_code problem;
  fs::create_directories(out, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(out.string()) + ": " + problem.message());

  if (!fs::equivalent(tokenizer, out / "tokenizer.model", problem)) {
    NATSCOPE_TRY(const MappedFile file, MappedFile::open(tokenizer));
    NATSCOPE_CHECK(write_file_atomically(out / "tokenizer.model", file.bytes()));
  }

  const StoredWeights stored(layout, weights, dtype == kernels::ElementType::bf16);
  // transformers insists on the format entry.
  NATSCOPE_CHECK(write_safetensors(out / "model.safetensors", stored.tensors(), {{"format", "pt"}}));

  nlohmann::json generation{{"do_sample", true}, {"temperature", 0.8}, {"top_p", 0.95}};
  if (config.bos) generation["bos_token_id"] = *config.bos;
  if (!config.eos.empty()) generation["eos_token_id"] = config.eos.front();
  NATSCOPE_CHECK(write_file_atomically(out / "generation_config.json", generation.dump(2) + "\n"));
  nlohmann::json description = model_config_json(config);
  // No part of the arithmetic: without a policy the folder runs with full attention, as any other without score layers.
  if (policy.kind != Policy::Kind::model && policy.kind != Policy::Kind::full)
    description["natscope"] = {{"training_policy", to_string(policy)}};
  return write_file_atomically(out / "config.json", description.dump(2) + "\n");
}

}  // namespace natscope::train
