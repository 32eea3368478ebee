// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands.h"

namespace natscope {

void add_commands(CLI::App& root, Invocation& invocation) {
  add_info_command(root, invocation);
  add_generate_command(root, invocation);
  add_trace_command(root, invocation);
  add_export_command(root, invocation);
  add_eval_command(root, invocation);
  add_answer_command(root, invocation);
  add_passkeys_command(root, invocation);
  add_train_command(root, invocation);
  add_finetune_command(root, invocation);
  add_convert_command(root, invocation);
  add_jobs_command(root, invocation);
  add_reproduce_command(root, invocation);
  add_bench_command(root, invocation);
  add_kernel_command(root, invocation);
  add_completion_command(root, invocation);
  add_manual_command(root, invocation);
}

}  // namespace natscope
