// SPDX-License-Identifier: GPL-3.0-or-later
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/flags/model_flags.h"
#include "core/io/adapter_conversion.h"

namespace natscope {
namespace {

Expected<void> run(const AdapterConversion& conversion, const CommandContext& context) {
  NATSCOPE_TRY(const ConvertedAdapter found, convert_adapter(conversion));
  if (context.json) {
    return print_json({{"out", conversion.out.string()},
                       {"tensors", found.tensors},
                       {"dtype", found.dtype},
                       {"score_layers", found.layers},
                       {"lora_rank", found.lora_rank},
                       {"lora_targets", found.lora_targets}});
  }
  std::string text = printable(conversion.out.string()) + ": " + std::to_string(found.layers) + " score layers";
  if (found.lora_rank > 0) {
    text += ", LoRA of rank " + std::to_string(found.lora_rank) + " on";
    for (const std::string& target : found.lora_targets) text += " " + target;
  }
  return print_text(text + "; window " + std::to_string(conversion.window) + "\n");
}

}  // namespace

void add_convert_command(CLI::App& root, Invocation& invocation) {
  auto conversion = std::make_shared<AdapterConversion>();
  CLI::App* command = add_command(
      root, "convert", "Make an adapter folder from a public adapter_weights.pth (read strictly; no code in it runs)");
  command->add_option("FILE", conversion->weights, "The file that torch.save wrote: a dict of tensors")->required();
  command->add_option("--model", conversion->base, "The base: the model folder that it was trained on")
      ->required()
      ->type_name("DIR");
  command->add_option("--out", conversion->out, "The adapter folder to make")->required()->type_name("DIR");
  constexpr const char* group = "What the file does not say";
  command->add_option("--window", conversion->window, "W, tokens that a sliding token stays")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str()
      ->group(group);
  command->add_option("--global-bias", conversion->global_bias, "b, added to the global score at inference")
      ->check(number_within(-1e6, 1e6))
      ->capture_default_str()
      ->group(group);
  command->add_option("--lambda", conversion->sparse_regularized_value, "Sparsity it was trained with, for the record")
      ->check(number_within(-1e6, 1e6))
      ->group(group);
  command->add_option("--lora-alpha", conversion->lora_alpha, "alpha of LoRA; its product is scaled by alpha / rank")
      ->check(number_within(1e-6, 1e6))
      ->capture_default_str()
      ->group(group);
  command->footer("What the file does not say are its training's settings, often in the name of its folder.");
  refuse_shared_options(*command, "a file is converted as it is, and nothing is computed");
  on_run(*command, invocation, [conversion](CommandContext& context) { return run(*conversion, context); });
}

}  // namespace natscope
