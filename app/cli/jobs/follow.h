// SPDX-License-Identifier: GPL-3.0-or-later
/// Watching a job until it ends: its steps, or its log.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/expected.h"

namespace natscope {

/// Prints the job's step (redrawn in place on a terminal) and evaluations as they come, until the job is over.
/// Errors: bad_job (it failed or was killed, with the reason), interrupted (the watching, not the job), those of
/// reading.
[[nodiscard]] Expected<void> follow_progress(const std::filesystem::path& folder, const std::stop_token& stop);

/// The last lines of a job's file, as they are printed. Errors: those of reading files.
[[nodiscard]] Expected<std::vector<std::string>> last_lines(const std::filesystem::path& folder, const char* file,
                                                            std::size_t lines);

/// Prints the last `lines` of one of its files (log.txt, output.txt), and with `follow` what comes, until it is over.
/// Errors: interrupted, those of reading.
[[nodiscard]] Expected<void> print_log(const std::filesystem::path& folder, const char* file, std::size_t lines,
                                       bool follow, const std::stop_token& stop);

}  // namespace natscope
