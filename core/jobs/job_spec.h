// SPDX-License-Identifier: GPL-3.0-or-later
/// What a job was asked to do: spec.json, read by somebody who did not write it.
///
/// spec.json is one flat JSON object: `kind` ("train" or "finetune"), `version`, and every option of that command under
/// its name, as core/train writes it. Here an option is its name and its text, so that a window can show, compare and
/// change jobs of any kind; the command that runs the job checks the values again.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"

namespace natscope::jobs {

enum class JobKind { train, finetune };

/// "train", "finetune": the name of the command, too.
[[nodiscard]] const char* name(JobKind kind);

struct JobOption {
  std::string name;  ///< "learning_rate"
  std::string text;  ///< "0.001"; a list of scalars is joined by commas; null is empty

  bool operator==(const JobOption&) const = default;
};

struct JobSpec {
  JobKind kind = JobKind::train;
  std::vector<JobOption> options;  ///< sorted by name

  /// The text of one option; empty when there is none.
  [[nodiscard]] std::string_view text(std::string_view option) const;
};

/// Errors: bad_job (no spec.json, not of this form: the key is named), not_a_regular_file, those of reading files.
[[nodiscard]] Expected<JobSpec> read_job_spec(const std::filesystem::path& folder);
[[nodiscard]] Expected<JobSpec> job_spec_from_json(const nlohmann::json& spec);

/// spec.json itself, for those who write it again. Errors as above.
[[nodiscard]] Expected<nlohmann::json> read_spec_json(const std::filesystem::path& folder);

/// `spec` with changed options: each must be there already, and its new text must fit the type of the old value.
/// What came of a changed option, and was not chosen, follows it again.
/// Errors: usage, naming the option.
[[nodiscard]] Expected<nlohmann::json> with_changes(nlohmann::json spec, std::span<const JobOption> changes);

/// From the folder that this process is in; normal, without a slash at its end.
[[nodiscard]] std::filesystem::path absolute_path(const std::filesystem::path& path);
/// `spec` with the paths among its options made so (`data`, `valid`, `tokenizer`, `init`, `out`, `model`, `adapter`).
[[nodiscard]] nlohmann::json with_absolute_paths(nlohmann::json spec);
/// What spec.json holds for `spec`: with_absolute_paths(), because nobody knows from where the job will be started or
/// resumed. Errors: usage (a path that is not UTF-8, which JSON cannot hold).
[[nodiscard]] Expected<std::string> spec_text(nlohmann::json spec);

/// The command that begins or resumes the job: {program, "train", "--job", FOLDER, "--resume"}; behind mpirun where
/// its `ranks` are more than one.
[[nodiscard]] std::vector<std::string> job_command(const std::filesystem::path& program, const JobSpec& spec,
                                                   const std::filesystem::path& folder);
/// An option that counts something; 0 where its text is no such number, whoever wrote it.
[[nodiscard]] int count_of(const JobSpec& spec, std::string_view option);
/// Processes that share each of its steps.
[[nodiscard]] int ranks_of(const JobSpec& spec);

/// Words as a POSIX shell reads them back, to show and to copy; also what a batch script holds.
[[nodiscard]] std::string shell_text(std::span<const std::string> words);

}  // namespace natscope::jobs
