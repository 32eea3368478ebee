// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/checkpoint_export.h"

#include <nlohmann/json.hpp>

#include "core/base/small_file.h"
#include "core/io/model_folder.h"
#include "core/jobs/checkpoint_list.h"
#include "core/jobs/job_folder.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/checkpoints/checkpoint.h"
#include "core/train/options/finetune_options.h"
#include "core/train/options/train_options.h"
#include "core/train/run_folders.h"
#include "core/train/weights/adapter_export.h"
#include "core/train/weights/finetune_layout.h"
#include "core/train/weights/model_export.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;

Expected<fs::path> chosen_checkpoint(const fs::path& checkpoints, std::optional<std::int64_t> step) {
  if (step) {
    fs::path folder = checkpoints / jobs::checkpoint_name(*step);
    if (path_exists(folder / "manifest.json")) return folder;
  } else {
    NATSCOPE_TRY(auto newest, newest_valid_checkpoint(checkpoints));
    if (newest) return *std::move(newest);
  }
  std::string there;
  for (const auto& entry : jobs::list_checkpoints(checkpoints)) {
    there += (there.empty() ? "" : ", ") + std::to_string(entry.step);
  }
  return fail(
      ErrorCode::bad_checkpoint,
      step ? "the job has no checkpoint of step " + std::to_string(*step) : "the job has no checkpoint that is whole",
      there.empty() ? "wait for the first one" : "it has those of the steps " + there);
}

/// The model that a checkpoint of a run from scratch makes.
Expected<void> write_trained(const fs::path& job, const nlohmann::json& spec, const fs::path& checkpoint,
                             const fs::path& out) {
  NATSCOPE_TRY(TrainOptions options, options_from_json(spec));
  options.job = job;
  auto resolved = resolve(std::move(options));
  if (!resolved) return fail(ErrorCode::bad_job, "spec.json: " + resolved.error().message, resolved.error().hint);
  const fs::path tokenizer_path = job / "tokenizer.model";
  NATSCOPE_TRY(const Tokenizer tokenizer, Tokenizer::load(tokenizer_path));
  const ModelConfig config = model_config(*resolved, tokenizer);
  const ParameterLayout layout = parameter_layout(config);
  NATSCOPE_TRY(const TrainingState state, read_checkpoint(checkpoint, layout));
  return export_model(out, config, layout, state.weights, resolved->dtype, tokenizer_path, resolved->policy);
}

/// The adapter (or model) that a checkpoint of a fine-tuning run makes.
Expected<void> write_finetuned(const nlohmann::json& spec, const fs::path& checkpoint, const fs::path& out) {
  NATSCOPE_TRY(const FinetuneOptions options, finetune_options_from_json(spec));
  NATSCOPE_TRY(const ModelFolder base, ModelFolder::open(options.model));
  const ParameterLayout layout = finetune_layout(base.config(), options);
  NATSCOPE_TRY(const TrainingState state, read_checkpoint(checkpoint, layout));
  return export_finetuned(out, base, options, layout, state.weights);
}

}  // namespace

Expected<ExportedCheckpoint> export_checkpoint(const fs::path& job, std::optional<std::int64_t> step, fs::path out) {
  NATSCOPE_TRY(const auto spec, jobs::JobFolder::read_spec(job));
  NATSCOPE_TRY(const fs::path checkpoint, chosen_checkpoint(job / "checkpoints", step));
  const auto number = jobs::checkpoint_step(checkpoint.filename().string());
  ExportedCheckpoint exported{number.value_or(0), std::move(out)};
  if (exported.model.empty()) {
    exported.model = job / "exports" / checkpoint.filename();
    const bool is_there =
        path_exists(exported.model / "config.json") || path_exists(exported.model / "adapter_config.json");
    if (is_there) return exported;
  } else {
    NATSCOPE_CHECK(check_export_folder(exported.model));
  }
  if (spec.is_object() && spec.value("kind", nlohmann::json()) == "finetune") {
    NATSCOPE_CHECK(write_finetuned(spec, checkpoint, exported.model));
  } else {
    NATSCOPE_CHECK(write_trained(job, spec, checkpoint, exported.model));
  }
  return exported;
}

}  // namespace natscope::train
