// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/sampling_flags.h"

namespace natscope {

void SamplingFlags::add_to(CLI::App& command) {
  auto* greedy = command.add_flag("--greedy", greedy_, "Always take the likeliest token");
  command.add_option("--temperature", temperature_, "Divide logits by it; above 0")
      ->type_name("X")
      ->default_str("the model's, else 0.8")
      ->excludes(greedy);
  command.add_option("--top-k", top_k_, "Only the K likeliest tokens; 0: all")
      ->type_name("K")
      ->default_str("the model's, else 0");
  command
      .add_option("--top-p", top_p_, "Only the smallest set of tokens whose probabilities reach P; above 0, up to 1")
      ->type_name("P")
      ->default_str("the model's, else 0.95");
  command
      .add_option("--min-p", min_p_,
                  "Only tokens with at least P times the likeliest one's probability; 0 to 1, 0: off")
      ->type_name("P")
      ->default_str("the model's, else 0");
  command
      .add_option("--repetition-penalty", repetition_penalty_, "Make tokens that occurred less likely; above 0, 1: off")
      ->type_name("X")
      ->default_str("the model's, else 1");
}

SamplingOptions SamplingFlags::merged(const GenerationDefaults& defaults, std::uint64_t seed) const {
  SamplingOptions options;
  options.seed = seed;
  options.temperature = temperature_.value_or(defaults.temperature.value_or(options.temperature));
  options.top_k = top_k_.value_or(defaults.top_k.value_or(options.top_k));
  options.top_p = top_p_.value_or(defaults.top_p.value_or(options.top_p));
  options.min_p = min_p_.value_or(defaults.min_p.value_or(options.min_p));
  options.repetition_penalty =
      repetition_penalty_.value_or(defaults.repetition_penalty.value_or(options.repetition_penalty));
  // A model that asks for no sampling is greedy, unless a flag asks for sampling.
  options.greedy = greedy_ || (!defaults.do_sample.value_or(true) && !temperature_ && !top_k_ && !top_p_ && !min_p_);
  return options;
}

Expected<SamplingOptions> SamplingFlags::options(const GenerationDefaults& defaults, std::uint64_t seed) const {
  const SamplingOptions options = merged(defaults, seed);
  auto valid = check(options);
  if (valid) return options;
  // Where the flags alone are right, it is the file that is not.
  if (!check(merged({}, seed))) return Unexpected(std::move(valid).error());
  return fail(ErrorCode::bad_generation_config, "generation_config.json: " + valid.error().message,
              "correct the file, or say it with a flag");
}

}  // namespace natscope
