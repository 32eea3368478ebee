// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/cli/commands.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/jobs/detach_flags.h"
#include "app/cli/jobs/follow.h"
#include "app/cli/jobs/job_report.h"
#include "app/cli/terminal/note.h"
#include "core/base/atomic_file.h"
#include "core/base/cancel.h"
#include "core/jobs/job_file.h"
#include "core/jobs/job_runner.h"
#include "core/jobs/job_spec.h"
#include "core/jobs/job_status.h"
#include "core/jobs/job_store.h"
#include "core/jobs/observe_jobs.h"
#include "core/train/checkpoint_export.h"
#include "core/train/options/finetune_options.h"
#include "core/train/options/train_options.h"
#include "core/train/text/corpus.h"

namespace natscope {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string name;
  std::string new_name;
  std::string out;
  std::vector<std::string> changes;
  RunnerFlags runner;
  std::optional<std::int64_t> step;
  std::size_t lines = 40;
  bool follow = false;
  bool keep = false;
  bool now = false;
  bool wait = false;
  bool start = false;
  bool output = false;
};

jobs::JobStore store() { return jobs::JobStore(jobs::default_jobs_folder()); }

Expected<void> list(const Options&, CommandContext& context) {
  const auto jobs_store = store();
  NATSCOPE_TRY(auto entries, jobs_store.list());
  NATSCOPE_CHECK(jobs::observe_jobs(entries, context.stop));
  if (context.json) {
    nlohmann::json objects = nlohmann::json::array();
    for (const auto& entry : entries) objects.push_back(job_json(entry));
    return print_json({{"folder", jobs_store.root().string()}, {"jobs", std::move(objects)}});
  }
  for (const auto& entry : entries) {
    if (entry.problem)
      std::fprintf(stderr, "%s: %s\n", printable(entry.name).c_str(), printable(entry.problem->message, 600).c_str());
  }
  if (!entries.empty()) return print_text(jobs_table(entries));
  std::fprintf(stderr, "no jobs in %s\nnatscope-cli train --data DIR --detach starts one\n",
               printable(jobs_store.root().string(), 400).c_str());
  return {};
}

Expected<void> show(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(const fs::path folder, store().find(options.name));
  Expected<void> followed;
  if (options.follow) {
    followed = follow_progress(folder, context.stop);
    if (!followed && followed.error().code == ErrorCode::interrupted) return followed;
  }
  if (!options.follow || context.json) {
    NATSCOPE_TRY(auto job, observe_job(folder, context.stop));
    LatestPoints latest;
    jobs::ProgressFollower follower(folder);
    for (bool more = true; more;) {
      NATSCOPE_TRY(const auto news, follower.poll());
      latest.take(news);
      more = news.more;
      NATSCOPE_CHECK(check(context.stop));
    }
    // The status is written once a second at most, and by a trainer that was killed no more.
    if (latest.step) job.status.step = std::max(job.status.step, latest.step->step);
    NATSCOPE_CHECK(context.json ? print_json(job_details_json(job, latest)) : print_text(job_details(job, latest)));
  }
  return followed;
}

Expected<void> start(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(const fs::path folder, store().find(options.name));
  NATSCOPE_TRY(const auto runner, options.runner.runner(folder));
  NATSCOPE_CHECK(runner->start(folder));
  return print_job_started(folder, context);
}

Expected<void> wait_for_end(const fs::path& folder, const std::stop_token& stop) {
  jobs::ClusterWatch cluster;
  for (;;) {
    NATSCOPE_TRY(const auto job, observe_job(folder, cluster, stop));
    if (!is_active(job.status.state)) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    NATSCOPE_CHECK(check(stop));
  }
}

Expected<void> stop(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(const fs::path folder, store().find(options.name));
  NATSCOPE_TRY(const auto before, observe_job(folder, context.stop));
  if (!is_active(before.status.state)) {
    return fail(ErrorCode::bad_job, printable(before.name) + " is " + name(before.status.state) + ": nothing to stop",
                "natscope-cli jobs list shows what runs");
  }
  // A job that waits in a queue has no step to finish.
  const bool cancels = options.now || before.status.state == jobs::JobState::queued;
  if (cancels) {
    NATSCOPE_TRY(const auto runner, jobs::runner_of(folder));
    NATSCOPE_CHECK(runner->cancel(folder));
  } else {
    NATSCOPE_CHECK(request_stop(folder, options.keep ? jobs::StopMode::keep_model : jobs::StopMode::resume_later));
  }
  if (options.wait) NATSCOPE_CHECK(wait_for_end(folder, context.stop));
  NATSCOPE_TRY(const auto after, observe_job(folder, context.stop));
  if (context.json) return print_json(job_json(after));
  const char* const pending = cancels ? " is being ended" : " ends after the step in work";
  return print_text(printable(after.name) +
                    (is_active(after.status.state) ? pending : std::string(" is ") + name(after.status.state)) + "\n");
}

Expected<void> remove(const Options& options, CommandContext& context) {
  const auto jobs_store = store();
  NATSCOPE_TRY(const fs::path folder, jobs_store.find(options.name));
  // The cluster's word, where there is one: a queued job must not lose its folder.
  if (const auto job = observe_job(folder, context.stop); job && is_active(job->status.state)) {
    return fail(ErrorCode::bad_job, printable(job->name) + " is " + name(job->status.state) + " and cannot be deleted",
                "stop it first: natscope-cli jobs stop");
  }
  NATSCOPE_CHECK(jobs_store.remove(options.name));
  if (context.json) return print_json({{"deleted", folder.string()}});
  return print_text("deleted " + folder.string() + "\n");
}

Expected<std::vector<jobs::JobOption>> parse_changes(const std::vector<std::string>& texts) {
  std::vector<jobs::JobOption> changes;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorCode::usage, "--set " + printable(text, 80) + " is not of the form OPTION=VALUE");
    }
    changes.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return changes;
}

/// The job's own file is whole: what is wrong of it is what --set made it.
Error as_changed(Error error) {
  const std::string_view of_file = "spec.json: ";
  if (error.code != ErrorCode::bad_job || !error.message.starts_with(of_file)) return error;
  return make_error(ErrorCode::usage, "--set: " + error.message.substr(of_file.size()),
                    "natscope-cli jobs show NAME lists the options with their values");
}

/// What the trainer would refuse at its start is said before there is a folder.
Expected<void> check_changed(const fs::path& job, const std::vector<jobs::JobOption>& changes) {
  NATSCOPE_TRY(const nlohmann::json before, jobs::read_spec_json(job));
  NATSCOPE_TRY(const jobs::JobSpec described, jobs::job_spec_from_json(before));
  NATSCOPE_TRY(const nlohmann::json spec, jobs::with_changes(before, changes));
  if (described.kind == jobs::JobKind::finetune) {
    NATSCOPE_CHECK(train::finetune_options_from_json(before));
    const auto tune = train::finetune_options_from_json(spec);
    if (!tune) return Unexpected(as_changed(tune.error()));
    NATSCOPE_CHECK(train::resolve(*tune));
  } else {
    NATSCOPE_CHECK(train::options_from_json(before));
    const auto from_scratch = train::options_from_json(spec);
    if (!from_scratch) return Unexpected(as_changed(from_scratch.error()));
    NATSCOPE_CHECK(train::resolve(*from_scratch));
  }
  for (const jobs::JobOption& change : changes) {
    if ((change.name == "data" || change.name == "valid") && !change.text.empty())
      NATSCOPE_CHECK(train::text_files(change.text));
  }
  return {};
}

Expected<void> duplicate(const Options& options, CommandContext& context) {
  const auto jobs_store = store();
  NATSCOPE_TRY(const auto changes, parse_changes(options.changes));
  NATSCOPE_TRY(const fs::path from, jobs_store.find(options.name));
  NATSCOPE_CHECK(check_changed(from, changes));
  NATSCOPE_TRY(const fs::path folder, jobs_store.duplicate(options.name, options.new_name, changes));
  if (options.start) {
    NATSCOPE_TRY(const auto runner, options.runner.runner(folder));
    NATSCOPE_CHECK(runner->start(folder));
    return print_job_started(folder, context);
  }
  if (options.runner.kind == "slurm") NATSCOPE_CHECK(jobs::prepare_batch_script(folder, options.runner.options()));
  NATSCOPE_TRY(const auto job, observe_job(folder, context.stop));
  return context.json ? print_json(job_json(job)) : print_text(folder.string() + "\n");
}

Expected<void> log(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(const fs::path folder, store().find(options.name));
  const char* const file = options.output ? "output.txt" : "log.txt";
  if (!context.json) return print_log(folder, file, options.lines, options.follow, context.stop);
  if (options.follow)
    return fail(ErrorCode::usage, "--json prints one object, --follow has no end", "leave one of them out");
  NATSCOPE_TRY(const auto lines, last_lines(folder, file, options.lines));
  return print_json({{"lines", lines}});
}

Expected<void> script(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(const fs::path folder, store().find(options.name));
  NATSCOPE_TRY(const jobs::JobStatus status, jobs::read_job_status(folder));
  NATSCOPE_TRY(const fs::path path, jobs::prepare_batch_script(folder));
  NATSCOPE_TRY(const std::string text, jobs::read_job_file(path, std::uint64_t{1} << 20));
  if (context.json) return print_json({{"path", path.string()}, {"script", text}});
  std::fprintf(stderr, "%s\n", printable(path.string(), 400).c_str());
  const bool is_clusters = status.launch && status.launch->runner == jobs::RunnerKind::slurm;
  if (!is_clusters && status.state != jobs::JobState::created) {
    print_note("this job was begun on this machine, where no script is needed; natscope-cli jobs start " +
               printable(options.name) + " --runner slurm goes on with it on a cluster, by this one");
  }
  return print_text(text);
}

Expected<void> export_step(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(const fs::path folder, store().find(options.name));
  NATSCOPE_TRY(const auto exported, train::export_checkpoint(folder, options.step, options.out));
  if (context.json) return print_json({{"model", exported.model.string()}, {"step", exported.step}});
  return print_text(exported.model.string() + "\n");
}

using Run = Expected<void> (*)(const Options&, CommandContext&);

CLI::App* add(CLI::App& parent, Invocation& invocation, const std::shared_ptr<Options>& options, const char* command,
              const char* description, Run run) {
  CLI::App* const added = add_command(parent, command, description);
  refuse_shared_options(*added, "a job keeps the options that it was described with; jobs duplicate changes them");
  on_run(*added, invocation, [options, run](CommandContext& context) { return run(*options, context); });
  return added;
}

void add_name(CLI::App& command, Options& options) {
  command.add_option("JOB", options.name, "A job's name, or the path of its folder")->required()->type_name("NAME");
}

}  // namespace

void add_jobs_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* const jobs =
      add_command(root, "jobs", "List, show, start, stop, resume, duplicate and delete training jobs");
  jobs->require_subcommand(0, 1);
  // Alone it lists, too: that is what one looks for first.
  jobs->add_flag("--json", invocation.json, "Print the list as JSON on stdout")->disable_flag_override();
  jobs->callback([jobs, &invocation] {
    if (jobs->get_subcommands().empty()) invocation.run = [](CommandContext& context) { return list({}, context); };
  });
  jobs->footer("Jobs are folders in " + jobs::default_jobs_folder().string() +
               " (NATSCOPE_JOBS names another place); a path with a / in it names a job anywhere. One is begun with "
               "natscope-cli train --detach or finetune --detach.");
  add(*jobs, invocation, options, "list", "All jobs of the folder that is named below, the last changed first", list);

  CLI::App* command = add(*jobs, invocation, options, "show", "How far a job is, and what it was asked to do", show);
  add_name(*command, *options);
  command->add_flag("--follow", options->follow, "Watch it until it ends; fails when the job does");

  for (const auto& [name, description] :
       {std::pair("start", "Begin a job that was described, stopped or killed"),
        std::pair("resume", "The same: go on from the newest checkpoint that is whole")}) {
    command = add(*jobs, invocation, options, name, description, start);
    add_name(*command, *options);
    options->runner.add_to(*command);
  }

  command = add(*jobs, invocation, options, "stop", "End a job after the step in work, with a checkpoint", stop);
  add_name(*command, *options);
  CLI::Option* const keep = command->add_flag("--keep", options->keep, "Also write the model as it is then");
  command->add_flag("--now", options->now, "At once, in the middle of a step; the last checkpoint stays")
      ->excludes(keep);
  command->add_flag("--wait", options->wait, "Return when it has ended");

  command =
      add(*jobs, invocation, options, "delete", "Delete a job that does not run: checkpoints and model, too", remove);
  add_name(*command, *options);

  command = add(*jobs, invocation, options, "duplicate", "A new job with another one's options, some of them changed",
                duplicate);
  add_name(*command, *options);
  command->add_option("NEW", options->new_name, "The new job's name or folder")->required()->type_name("NEW");
  command->add_option("--set", options->changes, "An option that differs, as jobs show lists them")
      ->type_name("OPTION=VALUE");
  command->add_flag("--start", options->start, "Begin it, too");
  options->runner.add_to(*command);

  command = add(*jobs, invocation, options, "log", "What a job said, with UTC times", log);
  add_name(*command, *options);
  command->add_option("--lines", options->lines, "So many of its last lines")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{std::numeric_limits<std::int32_t>::max()}))
      ->capture_default_str();
  command->add_flag("--output", options->output, "What its process printed, instead");
  command->add_flag("--follow", options->follow, "And what comes, until the job ends");

  command =
      add(*jobs, invocation, options, "script", "The batch script for Slurm; written once, then yours to edit", script);
  add_name(*command, *options);

  command = add(*jobs, invocation, options, "export", "A checkpoint as a model that opens, also while the job runs",
                export_step);
  add_name(*command, *options);
  command->add_option("--step", options->step, "Which checkpoint")->check(whole_number())->default_str("the newest");
  command->add_option("--out", options->out, "Folder for the model")
      ->type_name("DIR")
      ->default_str("in the job's folder");
}

}  // namespace natscope
