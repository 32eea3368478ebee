// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/jobs/job_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/small_file.h"
#include "core/jobs/checkpoint_list.h"
#include "core/jobs/job_runner.h"

namespace natscope {
namespace {

using jobs::JobEntry;
using nlohmann::json;

template <class... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

json or_null(const std::string& text) { return text.empty() ? json() : json(text); }
json or_null(std::int64_t number) { return number == 0 ? json() : json(number); }
json or_null(const std::optional<double>& number) { return number ? json(*number) : json(); }

json evaluation_json(const jobs::EvaluationPoint& point) {
  json layers = json::array();
  for (std::size_t layer = 0; layer < point.heads.size(); ++layer)
    layers.push_back(jobs::shares_json(point.layer(layer)));
  return {{"step", point.step},
          {"tokens", point.tokens},
          {"nll", point.nll},
          {"perplexity", point.perplexity},
          {"bits_per_byte", or_null(point.bits_per_byte)},
          {"roles", jobs::shares_json(point.roles)},
          {"layers", point.heads.empty() ? json() : layers}};
}

std::string shares_text(const jobs::RoleShares& shares) {
  return formatted("G %.2f  L %.2f  S %.2f  KV %.1f %%", shares.global, shares.local, shares.sliding,
                   100.0 * shares.kv_fraction);
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::clamp(seconds, 0.0, 1e12));
  if (whole >= 3600) return formatted("%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  return formatted("%lld:%02lld", whole / 60, whole % 60);
}

std::string state_text(const JobEntry& job) {
  if (job.problem) return "unreadable";
  std::string text = name(job.status.state);
  if (job.status.stop_requested) text += ", stopping";
  return text;
}

std::string steps_text(const jobs::JobStatus& status) {
  if (status.steps <= 0) return status.step > 0 ? std::to_string(status.step) : "–";
  return std::to_string(status.step) + "/" + std::to_string(status.steps);
}

std::string runner_text(const jobs::JobStatus& status) {
  if (!status.launch) return status.process.pid > 0 ? "terminal" : "–";
  std::string text = name(status.launch->runner);
  if (!status.launch->slurm_job.empty()) text += " " + status.launch->slurm_job;
  return text;
}

/// Characters that a terminal shows; our own texts hold no wide ones.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

class Lines {
 public:
  void add(const std::string& label, const std::string& value) {
    constexpr std::size_t column = 14;
    text_ += label + std::string(label.size() < column ? column - label.size() : 1, ' ') + value + "\n";
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::vector<std::int64_t> checkpoint_steps(const JobEntry& job) {
  std::vector<std::int64_t> steps;
  for (const auto& entry : jobs::list_checkpoints(job.folder / "checkpoints")) steps.push_back(entry.step);
  return steps;
}

/// Where the model is, once it is there.
std::string model_of(const JobEntry& job) {
  const std::filesystem::path out(job.spec.text("out"));
  const bool there = !out.empty() && (path_exists(out / "config.json") || path_exists(out / "adapter_config.json"));
  return there ? out.string() : "";
}

}  // namespace

void LatestPoints::take(const jobs::NewPoints& news) {
  if (news.restarted) *this = LatestPoints();
  bad_lines += news.bad_lines;
  for (const jobs::JobPoint& point : news.points) {
    if (const auto* as_step = std::get_if<jobs::StepPoint>(&point)) step = *as_step;
    if (const auto* as_evaluation = std::get_if<jobs::EvaluationPoint>(&point)) evaluation = *as_evaluation;
  }
}

json job_json(const JobEntry& job) {
  json object{{"name", job.name}, {"folder", job.folder.string()}};
  object["problem"] = job.problem ? json(format_error_line(*job.problem)) : json();
  const jobs::JobStatus& status = job.status;
  object["kind"] = job.problem ? json() : json(name(job.spec.kind));
  object["state"] = job.problem ? json() : json(name(status.state));
  object["step"] = status.step;
  object["steps"] = or_null(status.steps);
  object["updated"] = or_null(status.updated);
  object["error"] = or_null(status.error);
  object["runner"] = status.launch ? json(name(status.launch->runner)) : json();
  object["slurm_job"] = status.launch ? or_null(status.launch->slurm_job) : json();
  object["cluster"] = or_null(status.cluster);
  object["pid"] = or_null(status.process.pid);
  object["host"] = or_null(status.process.host);
  object["stop_requested"] = status.stop_requested;
  return object;
}

json job_details_json(const JobEntry& job, const LatestPoints& latest) {
  json object = job_json(job);
  json options = json::object();
  for (const auto& option : job.spec.options) options[option.name] = option.text;
  object["options"] = std::move(options);
  object["command"] = jobs::job_command(jobs::cli_program(), job.spec, job.folder);
  object["checkpoints"] = checkpoint_steps(job);
  object["model"] = or_null(model_of(job));
  object["last_step"] = latest.step ? jobs::progress_json(*latest.step) : json();
  object["last_evaluation"] = latest.evaluation ? evaluation_json(*latest.evaluation) : json();
  object["bad_progress_lines"] = latest.bad_lines;
  return object;
}

std::string jobs_table(std::span<const JobEntry> jobs) {
  std::vector<std::array<std::string, 6>> rows{{"NAME", "KIND", "STATE", "STEP", "RUNS ON", "UPDATED"}};
  for (const JobEntry& job : jobs) {
    rows.push_back({printable(job.name, 60), job.problem ? "–" : name(job.spec.kind), state_text(job),
                    steps_text(job.status), runner_text(job.status), printable(job.status.updated, 40)});
  }
  std::array<std::size_t, 6> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - width(row[i]) + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string point_line(const jobs::JobPoint& point, std::int64_t steps, jobs::JobKind kind) {
  if (const auto* evaluation = std::get_if<jobs::EvaluationPoint>(&point)) {
    std::string line = "held out after step " + std::to_string(evaluation->step) +
                       formatted(": nll %.4f  perplexity %.3f", evaluation->nll, evaluation->perplexity);
    if (evaluation->roles) line += "  argmax " + shares_text(*evaluation->roles);
    return line;
  }
  const auto& step = std::get<jobs::StepPoint>(point);
  std::string line =
      "step " + std::to_string(step.step) + (steps > 0 ? "/" + std::to_string(steps) : "") +
      (kind == jobs::JobKind::finetune ? formatted("  distance %.5g", step.loss) : formatted("  loss %.4f", step.loss));
  if (step.tokens_per_s) line += formatted("  %.0f tok/s", *step.tokens_per_s);
  if (step.sampled) line += "  sampled " + shares_text(*step.sampled);
  if (step.argmax) line += "  argmax " + shares_text(*step.argmax);
  if (step.eta_s) line += "  ETA " + duration_text(*step.eta_s);
  return line;
}

std::string job_details(const JobEntry& job, const LatestPoints& latest) {
  Lines lines;
  const jobs::JobStatus& status = job.status;
  lines.add("job", printable(job.name));
  lines.add("folder", printable(job.folder.string(), 400));
  lines.add("kind", name(job.spec.kind));
  std::string state = state_text(job);
  if (status.process.pid > 0 && is_active(status.state)) {
    state += ", pid " + std::to_string(status.process.pid);
    if (!status.process.host.empty()) state += " on " + printable(status.process.host, 80);
  }
  lines.add("state", state);
  if (!status.error.empty()) lines.add("", printable(status.error, 2000));
  if (status.launch && status.launch->runner == jobs::RunnerKind::slurm) {
    lines.add("cluster",
              "Slurm job " + status.launch->slurm_job + (status.cluster.empty() ? "" : ": " + status.cluster));
  }
  std::string step = steps_text(status);
  if (status.steps > 0) {
    step += formatted(" (%.1f %%)", 100.0 * static_cast<double>(status.step) / static_cast<double>(status.steps));
  }
  lines.add("step", step + (status.updated.empty() ? "" : ", " + printable(status.updated, 40)));
  if (latest.step) lines.add("last step", point_line(*latest.step, status.steps, job.spec.kind));
  if (latest.step && latest.step->learning_rate) {
    lines.add("learning rate", formatted("%.3g", *latest.step->learning_rate));
  }
  if (latest.evaluation) {
    lines.add("held out", point_line(*latest.evaluation, status.steps, job.spec.kind));
    for (std::size_t layer = 0; layer < latest.evaluation->heads.size(); ++layer) {
      lines.add("  layer " + std::to_string(layer), shares_text(latest.evaluation->layer(layer)));
    }
  }
  std::string checkpoints;
  for (const auto number : checkpoint_steps(job))
    checkpoints += (checkpoints.empty() ? "" : ", ") + std::to_string(number);
  lines.add("checkpoints", checkpoints.empty() ? "none yet" : "after steps " + checkpoints);
  const std::string model = model_of(job);
  if (!model.empty()) lines.add("model", printable(model, 400));
  if (latest.bad_lines > 0) lines.add("progress", std::to_string(latest.bad_lines) + " lines cannot be read");
  lines.add("command", printable(jobs::shell_text(jobs::job_command(jobs::cli_program(), job.spec, job.folder)), 2000));
  lines.add("options", "");
  std::string text = lines.take();
  for (const auto& option : job.spec.options) {
    text += "  " + printable(option.name, 80) + " = " + printable(option.text, 400) + "\n";
  }
  return text;
}

Expected<JobEntry> observe_job(const std::filesystem::path& folder, const StopToken& stop) {
  jobs::ClusterWatch cluster;
  return observe_job(folder, cluster, stop);
}

Expected<JobEntry> observe_job(const std::filesystem::path& folder, jobs::ClusterWatch& cluster,
                               const StopToken& stop) {
  JobEntry entry;
  entry.name = folder.filename().string();
  entry.folder = folder;
  NATSCOPE_TRY(entry.spec, jobs::read_job_spec(folder));
  NATSCOPE_TRY(entry.status, jobs::read_job_status(folder));
  NATSCOPE_CHECK(cluster.observe({&entry, 1}, stop));
  return entry;
}

Expected<void> print_job_started(const std::filesystem::path& folder, const CommandContext& context) {
  NATSCOPE_TRY(const JobEntry job, observe_job(folder, context.stop));
  if (context.json) return print_json(job_json(job));
  const bool in_store = folder.parent_path() == jobs::default_jobs_folder();
  const std::string shown = jobs::shell_text(std::array{in_store ? job.name : folder.string()});
  std::string text = shown + " is " + name(job.status.state);
  if (!job.status.cluster.empty()) text += " as Slurm job " + job.status.launch->slurm_job + ": " + job.status.cluster;
  std::fprintf(stderr, "%s\nnatscope-cli jobs show %s --follow\n", text.c_str(), shown.c_str());
  return print_text(folder.string() + "\n");
}

}  // namespace natscope
