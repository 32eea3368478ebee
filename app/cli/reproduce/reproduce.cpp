// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands.h"
#include "app/cli/reproduce/study_commands.h"

namespace natscope {

void add_reproduce_command(CLI::App& root, Invocation& invocation) {
  CLI::App* command = add_command(root, "reproduce", "Repeat the method's published comparisons at a small size");
  command->require_subcommand(1);
  add_reproduce_scratch(*command, invocation);
  add_reproduce_finetune(*command, invocation);
}

}  // namespace natscope
