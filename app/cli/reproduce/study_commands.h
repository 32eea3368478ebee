// SPDX-License-Identifier: GPL-3.0-or-later
/// The studies of `reproduce`, one file each.
#pragma once

#include "app/cli/invocation.h"

namespace natscope {

void add_reproduce_scratch(CLI::App& parent, Invocation& invocation);
void add_reproduce_finetune(CLI::App& parent, Invocation& invocation);

}  // namespace natscope
