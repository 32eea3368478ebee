// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/model_flags.h"

#include <vector>

#include "app/cli/invocation.h"
#include "app/cli/terminal/note.h"
#include "core/base/resource_path.h"
#include "core/io/adapter.h"
#include "core/model/config.h"

namespace natscope {

void add_threads_option(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "CPU threads; 0: one a core")
      ->check(CLI::Range(0, 1024))
      ->type_name("N")
      ->capture_default_str();
}

void add_device_option(CLI::App& command, std::string& device, const std::string& words) {
  command.add_option("--device", device, words)
      ->check(CLI::IsMember(std::vector<std::string>(device_names.begin(), device_names.end())))
      ->type_name("NAME")
      ->capture_default_str();
}

void add_seed_option(CLI::App& command, std::uint64_t& seed, const std::string& words) {
  command.add_option("--seed", seed, words)->check(whole_number())->type_name("N")->capture_default_str();
}

void add_refused_option(CLI::App& command, const std::string& flag, const std::string& why) {
  command
      .add_option_function<std::string>(
          flag, [flag, why](const std::string&) { throw CLI::ValidationError(flag + " is not taken here: " + why); })
      ->group("");
}

void refuse_shared_options(CLI::App& command, const std::string& why) {
  for (const char* const flag : {"--model", "--adapter", "--device", "--dtype", "--threads", "--seed"}) {
    if (command.get_option_no_throw(flag) == nullptr) add_refused_option(command, flag, why);
  }
}

void add_chunk_option(CLI::App& command, std::int64_t& chunk) {
  command.add_option("--chunk", chunk, "Tokens per prefill chunk")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31U))
      ->type_name("N")
      ->capture_default_str();
}

void ModelFlags::add_to(CLI::App& command) {
  command.add_option("--model", model, "Model folder (Hugging Face layout)")
      ->type_name("DIR")
      ->default_str("the bundled demo");
  command
      .add_option("--adapter", adapter,
                  "Adapter folder with score layers, LoRA or both; without --model on the base that it names")
      ->type_name("DIR");
  command
      .add_option("--context", context,
                  "Longest text that is read; more than the original context takes a Phi-3's long factors (LongRoPE)")
      ->check(CLI::Range(1, max_model_context))
      ->type_name("TOKENS")
      ->default_str("the model's");
  add_device_option(command, device);
  command.add_option("--dtype", dtype, "Type of activations and cache")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->type_name("NAME")
      ->default_str("float32 on a CPU, bfloat16 on a GPU");
  add_threads_option(command, threads);
  add_seed_option(command, seed);
}

bool ModelFlags::adapter_has_base() const {
  if (!model.empty() || adapter.empty()) return false;
  const auto config = read_adapter_config(adapter);
  return config && !config->base_model.empty();
}

std::filesystem::path ModelFlags::model_path() const {
  if (adapter_has_base()) return adapter;
  return model.empty() ? demo_model_path() : std::filesystem::path(model);
}

void ModelFlags::remark_other_base() const {
  if (model.empty() || adapter.empty()) return;
  const auto config = read_adapter_config(adapter);
  if (!config || config->base_model.empty()) return;
  const std::filesystem::path base = std::filesystem::path(adapter) / config->base_model;
  std::error_code problem;
  if (!std::filesystem::is_directory(base, problem) || std::filesystem::equivalent(base, model, problem)) return;
  print_note("the adapter says that it belongs to " + printable(config->base_model) + ", not to " + printable(model));
}

std::optional<std::filesystem::path> ModelFlags::adapter_path() const {
  if (adapter.empty() || adapter_has_base()) return std::nullopt;
  return std::filesystem::path(adapter);
}

std::vector<InputFile> ModelFlags::input_files() const {
  std::vector<InputFile> files = model_files("--model", model_path());
  if (const auto folder = adapter_path()) {
    for (InputFile& file : model_files("--adapter", *folder)) files.push_back(std::move(file));
  }
  return files;
}

EngineOptions ModelFlags::engine_options(std::int64_t trace_store_bytes) const {
  EngineOptions options;
  options.model = model_path();
  options.adapter = adapter_path();
  options.context = context;
  options.device = device_named(device);
  if (dtype == "float32") options.dtype = kernels::ElementType::f32;
  if (dtype == "bfloat16") options.dtype = kernels::ElementType::bf16;
  options.threads = threads;
  options.trace_store_bytes = trace_store_bytes;
  return options;
}

Expected<std::unique_ptr<Engine>> open_engine(const ModelFlags& options, std::int64_t trace_store_bytes,
                                              std::stop_token stop) {
  options.remark_other_base();
  return Engine::open(options.engine_options(trace_store_bytes), std::move(stop));
}

}  // namespace natscope
