// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/training_flags.h"

#include "app/cli/flags/model_flags.h"

namespace natscope {
namespace {

/// --resume has it from the job; the parser cannot ask for it.
constexpr const char* needed = "; needed without --resume";

}  // namespace

void TrainingFlags::add_places(CLI::App& command, const PlaceWords& words) {
  command.add_option("--data", data, std::string(words.data) + needed)->type_name("PATH");
  command.add_option("--valid", valid, words.valid)->type_name("PATH");
  command.add_option("--out", out, std::string(words.out) + "; needed without --job, --detach and --resume")
      ->type_name("DIR");
  command.add_option("--job", job, "Folder for spec, progress and checkpoints")
      ->type_name("DIR")
      ->default_str("as --out");
  command.add_flag("--resume", resume,
                   "Go on in the job's folder (--job, else --out) from its newest checkpoint, with its options");
}

void TrainingFlags::add_arithmetic(CLI::App& command) {
  command.add_option("--dtype", dtype, "What products are computed in")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->capture_default_str();
  add_device_option(command, device, "Where passes are computed; auto: on the GPU where that can be");
}

Expected<bool> TrainingFlags::wants_job() const {
  if (detach.wanted() && resume) {
    return fail(ErrorCode::usage, "--detach begins a new job", "natscope-cli jobs resume goes on with one");
  }
  return detach.wanted();
}

}  // namespace natscope
