// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/jobs/detach_flags.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "app/cli/jobs/job_report.h"
#include "core/base/small_file.h"
#include "core/jobs/job_store.h"

namespace natscope {
namespace {

/// Jobs that may begin within one second.
constexpr int most_at_once = 1000;

/// "train-20260131-120000", and a number behind it when two begin in one second.
std::string name_of_now(const jobs::JobStore& store, const std::string& kind) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "-%Y%m%d-%H%M%S", &parts);
  std::string name = kind + text;
  for (int i = 2; path_exists(store.root() / name); ++i) name = kind + text + "-" + std::to_string(i);
  return name;
}

}  // namespace

void RunnerFlags::add_to(CLI::App& command) {
  command.add_option("--runner", kind, "Where the job runs; local: on this machine")
      ->check(CLI::IsMember({"local", "slurm"}))
      ->default_str("as before, else local");
  command.add_option("--sbatch", sbatch, "An argument for sbatch, for example --sbatch=--partition=gpu")
      ->type_name("ARG");
}

Expected<std::unique_ptr<jobs::JobRunner>> RunnerFlags::runner(const std::filesystem::path& folder) const {
  if (kind.empty()) return jobs::runner_of(folder, options());
  return jobs::make_runner(kind == "slurm" ? jobs::RunnerKind::slurm : jobs::RunnerKind::local, options());
}

void DetachFlags::add_to(CLI::App& command) {
  constexpr const char* group = "Job";

  CLI::Option* const detach =
      command.add_flag("--detach", detach_, "Start it as a job that outlives this terminal, and return")->group(group);
  command.add_option("--name", name_, "The job's name in the store of jobs")
      ->type_name("NAME")
      ->default_str("made of the time")
      ->needs(detach)
      ->group(group);
  command
      .add_flag("--no-start", no_start_,
                "Describe the job only (with --runner slurm: its batch script, too), for jobs start")
      ->needs(detach)
      ->group(group);
  runner_.add_to(command);
  for (const char* const flag : {"--runner", "--sbatch"}) command.get_option(flag)->needs(detach)->group(group);
}

Expected<void> DetachFlags::start(nlohmann::json spec, const std::filesystem::path& job,
                                  const CommandContext& context) const {
  const jobs::JobStore store(jobs::default_jobs_folder());
  if (!job.empty() && !name_.empty()) {
    return fail(ErrorCode::usage, "--name and --job (or --out) both say where the job goes", "give one of them");
  }
  const std::string kind = spec.value("kind", std::string("job"));
  // A path is told from a name by its slash.
  const std::string place =
      !job.empty() ? (job.is_absolute() || job.has_parent_path() ? job : "." / job).string() : name_;
  const auto create = [&](const std::string& at) -> Expected<std::filesystem::path> {
    NATSCOPE_TRY(const auto folder, store.place_for(at));
    nlohmann::json here = spec;
    if (here.value("out", std::string()).empty()) here["out"] = (folder / "model").string();
    return store.create(at, std::move(here));
  };
  auto made = create(place.empty() ? name_of_now(store, kind) : place);
  // Of several that are begun at once one has the name; the others take the next.
  for (int i = 0; i < most_at_once && place.empty() && !made && made.error().code == ErrorCode::usage; ++i)
    made = create(name_of_now(store, kind));
  NATSCOPE_TRY(const auto created, std::move(made));
  if (no_start_) {
    if (runner_.kind == "slurm") NATSCOPE_CHECK(jobs::prepare_batch_script(created, runner_.options()));
    if (context.json) {
      NATSCOPE_TRY(const auto described, observe_job(created, context.stop));
      return print_json(job_json(described));
    }
    return print_text(created.string() + "\n");
  }
  NATSCOPE_TRY(const auto runner, runner_.runner(created));
  if (auto started = runner->start(created); !started) {
    // The job stays: after a repair (of the batch script, say) it can be started.
    Error error = std::move(started).error();
    error.message += "; the job is kept in " + printable(created.string());
    return Unexpected(std::move(error));
  }
  return print_job_started(created, context);
}

}  // namespace natscope
