// SPDX-License-Identifier: GPL-3.0-or-later
/// --resume of train and finetune: the job keeps its options, and what else was given changes nothing.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace natscope {

/// "--resume keeps the job's own options; ignored: --lr, --steps"; empty where nothing is ignored. What says where the
/// job is, and how the result is printed, is not ignored.
[[nodiscard]] std::string ignored_beside_resume(const CLI::App& command);

}  // namespace natscope
