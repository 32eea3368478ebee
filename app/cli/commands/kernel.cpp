// SPDX-License-Identifier: GPL-3.0-or-later
/// `kernel`: one operation of kernels/ on arrays from a file, for checks from outside.
#include "app/cli/commands/kernel_operations.h"

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/flags/input_files.h"
#include "app/cli/flags/model_flags.h"
#include "core/base/atomic_file.h"

namespace natscope {
namespace {

struct Options {
  std::string name;
  std::string in;
  std::string out;
  std::string backend;  ///< empty: as --device says
  std::string device = "auto";
  std::uint64_t seed = 0;
  std::string dtype = "float32";
  int threads = 0;
  bool list = false;
};

Expected<void> print_list(bool json) {
  nlohmann::json list = nlohmann::json::array();
  std::string text;
  for (const KernelOperation& operation : kernel_operations()) {
    list.push_back({{"name", operation.name}, {"in", operation.inputs}, {"out", operation.outputs}});
    text += std::string(operation.name) + "\n  in   " + operation.inputs + "\n  out  " + operation.outputs + "\n";
  }
  return json ? print_json(list) : print_text(text);
}

Expected<void> run(const Options& options, CommandContext& context) {
  if (options.list) return print_list(context.json);
  if (options.name.empty())
    return fail(ErrorCode::usage, "no operation was named", "natscope-cli kernel --list shows them");
  const KernelOperation* operation = find_kernel_operation(options.name);
  if (operation == nullptr) {
    return fail(ErrorCode::usage, "there is no operation \"" + options.name + "\"",
                "natscope-cli kernel --list shows them");
  }
  if (options.device != "auto" && !options.backend.empty() &&
      (options.device == "cuda") != (options.backend == "cuda")) {
    return fail(ErrorCode::usage, "--device " + options.device + " and --backend " + options.backend + " contradict",
                "give one of them");
  }
  if (options.in.empty() || options.out.empty()) return fail(ErrorCode::usage, "kernel needs --in FILE and --out FILE");
  NATSCOPE_CHECK(check_writable_target(options.out));
  NATSCOPE_CHECK(check_not_input(options.out, {{"--in", options.in}}));
  NATSCOPE_TRY(const auto file, SafetensorsFile::open(options.in));

  KernelSettings settings;
  const std::string& backend = !options.backend.empty() ? options.backend : options.device;
  settings.backend = backend == "ref"    ? kernels::Backend::ref
                     : backend == "cuda" ? kernels::Backend::cuda
                                         : kernels::Backend::cpu;
  settings.dtype = options.dtype == "bfloat16" ? kernels::ElementType::bf16 : kernels::ElementType::f32;
  settings.threads = options.threads;
  auto done = operation->run(file, settings, options.out);
  if (!done && done.error().code == ErrorCode::device_unavailable && !options.backend.empty())
    done.error().hint = "use --backend cpu or ref";  // --device would contradict it
  NATSCOPE_CHECK(std::move(done));
  return context.json ? print_json({{"operation", options.name}, {"out", options.out}}) : Expected<void>{};
}

}  // namespace

void add_kernel_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "kernel", "Run one kernel on arrays from a file");
  std::string names;
  for (const KernelOperation& operation : kernel_operations())
    names += (names.empty() ? "" : ",") + std::string(operation.name);
  // What it can be, for help and completion; another one is refused with a hint of its own.
  command->add_option("NAME", options->name, "Operation; --list shows what each takes and gives")
      ->type_name("TEXT:{" + names + "}");
  command->add_flag("--list", options->list, "Name the operations with their inputs and outputs");
  command
      ->add_option("--in", options->in,
                   "Safetensors file with the inputs, scalars as metadata strings; needed without --list")
      ->type_name("FILE");
  command->add_option("--out", options->out, "Safetensors file to write; needed without --list")->type_name("FILE");
  command->add_option("--backend", options->backend, "Which implementation; ref: plain loops in double")
      ->check(CLI::IsMember({"ref", "cpu", "cuda"}))
      ->type_name("NAME")
      ->default_str("as --device says, else cpu");
  command->add_option("--dtype", options->dtype, "bfloat16 rounds q, k, v and d_out first and runs the bf16 path")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->type_name("NAME")
      ->capture_default_str();
  add_device_option(*command, options->device);
  add_threads_option(*command, options->threads);
  add_seed_option(*command, options->seed, "Taken as everywhere, but no operation draws random numbers");
  const char* const why = "an operation reads arrays from --in, not a model";
  for (const char* const flag : {"--model", "--adapter"}) add_refused_option(*command, flag, why);
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
