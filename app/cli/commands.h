// SPDX-License-Identifier: GPL-3.0-or-later
/// Every command of natscope-cli, one file each.
#pragma once

#include "app/cli/invocation.h"

namespace natscope {

void add_info_command(CLI::App& root, Invocation& invocation);
void add_generate_command(CLI::App& root, Invocation& invocation);
void add_trace_command(CLI::App& root, Invocation& invocation);
void add_export_command(CLI::App& root, Invocation& invocation);
void add_eval_command(CLI::App& root, Invocation& invocation);
void add_answer_command(CLI::App& root, Invocation& invocation);
void add_passkeys_command(CLI::App& root, Invocation& invocation);
void add_train_command(CLI::App& root, Invocation& invocation);
void add_finetune_command(CLI::App& root, Invocation& invocation);
void add_convert_command(CLI::App& root, Invocation& invocation);
void add_jobs_command(CLI::App& root, Invocation& invocation);
void add_reproduce_command(CLI::App& root, Invocation& invocation);
void add_bench_command(CLI::App& root, Invocation& invocation);
void add_kernel_command(CLI::App& root, Invocation& invocation);
/// `root` must outlive the run: they describe every command that it has by then.
void add_completion_command(CLI::App& root, Invocation& invocation);
void add_manual_command(CLI::App& root, Invocation& invocation);

/// All of them, in the order of the help.
void add_commands(CLI::App& root, Invocation& invocation);

}  // namespace natscope
