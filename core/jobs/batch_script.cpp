// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>

#include "core/base/atomic_file.h"
#include "core/base/small_file.h"
#include "core/jobs/job_runner.h"
#include "core/jobs/job_spec.h"

namespace natscope::jobs {

namespace {

namespace fs = std::filesystem;

/// sbatch reads its comments without a shell: blanks are quoted, and `%` would begin a pattern.
Expected<std::string> sbatch_path(const fs::path& path) {
  const std::string text = path.string();
  if (text.find_first_of("\"\\\n\r") != std::string::npos) {
    return fail(ErrorCode::bad_job, printable(text) + ": sbatch takes no path with quotes, backslashes or line breaks",
                "move the job to another folder");
  }
  std::string escaped;
  for (const char c : text) escaped += c == '%' ? std::string("%%") : std::string(1, c);
  return "\"" + escaped + "\"";
}

/// An argument of sbatch as a line of the script, so that a job that is started again finds it there.
Expected<std::string> sbatch_line(const std::string& argument) {
  if (argument.find_first_of("\"\\\n\r") != std::string::npos) {
    return fail(ErrorCode::usage, "--sbatch takes no quotes, backslashes or line breaks",
                "edit the batch script: natscope-cli jobs script");
  }
  const bool has_blanks = argument.find_first_of(" \t") != std::string::npos;
  return "#SBATCH " + (has_blanks ? "\"" + argument + "\"" : argument) + "\n";
}

/// What the queue calls the job: its folder's name, of which no character means anything to sbatch or to a shell.
std::string queue_name(const fs::path& folder) {
  const fs::path whole = folder.lexically_normal();
  const std::string name = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  constexpr std::size_t longest = 100;
  std::string plain;
  for (const char c : name) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (is_plain) {
      plain += c;
    } else if (!plain.empty() && plain.back() != '-') {
      plain += '-';
    }
    if (plain.size() == longest) break;
  }
  while (plain.ends_with('-')) plain.pop_back();
  return plain.empty() ? "natscope" : plain;
}

}  // namespace

Expected<fs::path> prepare_batch_script(const fs::path& folder, const RunnerOptions& options) {
  const fs::path script = folder / "slurm.sh";
  if (path_exists(script)) return script;
  NATSCOPE_TRY(const JobSpec spec, read_job_spec(folder));
  const fs::path program = options.program.empty() ? cli_program() : options.program;
  NATSCOPE_TRY(const std::string output, sbatch_path(folder / "output.txt"));
  const auto command = job_command(program, spec, folder);
  const std::array<std::string, 4> stop{program.string(), "jobs", "stop", folder.string()};
  // They are shared by the ranks of a machine.
  const int ranks = ranks_of(spec);
  const std::int64_t threads = (std::int64_t{count_of(spec, "threads")} + ranks - 1) / ranks;
  std::string text =
      "#!/bin/bash\n"
      "# Edit what your cluster needs (partition, account, memory, time) and start the job again; this file is not\n"
      "# written a second time.\n"
      "#SBATCH --job-name=" +
      queue_name(folder) +
      "\n"
      "#SBATCH --ntasks=" +
      std::to_string(ranks) + "\n";
  if (threads > 0) text += "#SBATCH --cpus-per-task=" + std::to_string(threads) + "\n";
  // Each process trains on a GPU of its own, and several may come to one machine.
  if (spec.text("device") == "cuda") text += ranks > 1 ? "#SBATCH --gpus-per-task=1\n" : "#SBATCH --gres=gpu:1\n";
  if (options.sbatch_arguments.empty()) text += "##SBATCH --partition=NAME\n##SBATCH --time=24:00:00\n";
  for (const std::string& argument : options.sbatch_arguments) {
    NATSCOPE_TRY(const std::string line, sbatch_line(argument));
    text += line;
  }
  text +=
      "#SBATCH --output=" + output +
      "\n"
      "#SBATCH --open-mode=append\n"
      "# Two minutes before the time limit: end after the step in work, with a checkpoint. Starting again resumes.\n"
      "#SBATCH --signal=B:USR1@120\n"
      "#SBATCH --no-requeue\n\n"
      "trap " +
      shell_text(std::array{shell_text(stop)}) +
      " USR1\n"
      "trap 'kill -TERM $trainer' TERM INT\n" +
      // mpirun starts one daemon a machine through srun, which would give each the GPUs of one task.
      (ranks > 1 && spec.text("device") == "cuda" ? "unset SLURM_GPUS_PER_TASK SLURM_TRES_PER_TASK\n" : "") +
      shell_text(command) +
      " &\n"
      "trainer=$!\n"
      "# A signal ends the first wait; the trainer's own exit code is what counts.\n"
      "wait $trainer; code=$?\n"
      "while kill -0 $trainer 2>/dev/null; do wait $trainer; code=$?; done\n"
      "exit $code\n";
  NATSCOPE_CHECK(write_file_atomically(script, text));
  return script;
}

}  // namespace natscope::jobs
