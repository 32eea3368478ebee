// SPDX-License-Identifier: GPL-3.0-or-later
/// `bench`: measures, and writes what was measured.
#include <omp.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/bench/benchmark.h"
#include "app/cli/bench/gpu/gpu.h"
#include "app/cli/commands.h"
#include "app/cli/flags/model_flags.h"
#include "core/base/atomic_file.h"
#include "core/base/cancel.h"
#include "kernels/shared_work.h"

namespace natscope {
namespace {

struct Options {
  std::vector<std::string> names;
  std::string results;
  std::string commit;
  std::string device = "auto";
  int threads = 0;
  std::uint64_t seed = 0;
  bool list = false;
};

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string today() {
  std::array<char, 16> text{};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &utc);
  return text.data();
}

nlohmann::json results_json(const nlohmann::json& rows, const nlohmann::json& missing, const bench::Roofs& roofs,
                            const Options& options) {
  return {{"commit", options.commit},
          {"date", today()},
          {"machine", processor_name() + ", " + std::to_string(omp_get_num_procs()) + " cores"},
          {"threads", kernels::max_threads()},
          {"roofs",
           {{"read_bytes_per_s", roofs.read_bytes_per_s},
            {"gemm_f32_flop_per_s", roofs.gemm_f32_flop_per_s},
            {"gemm_bf16_flop_per_s", roofs.gemm_bf16_flop_per_s}}},
          {"rows", rows},
          {"not_measured", missing}};
}

bool is_among(const std::vector<const char*>& rows, const std::string& name) {
  return std::find(rows.begin(), rows.end(), name) != rows.end();
}

/// Whose name, or whose row's, that is; null: nothing on a GPU.
const bench::GpuSuite* gpu_suite_of(const std::string& name) {
  for (const bench::GpuSuite& suite : bench::gpu_suites()) {
    if (name == suite.name || is_among(suite.rows(), name)) return &suite;
  }
  return nullptr;
}

/// The one whose name, or whose rows', all of these are; null: all are others' names. Errors: usage (some of each).
Expected<const bench::GpuSuite*> gpu_suite_of_all(const std::vector<std::string>& names) {
  const bench::GpuSuite* const suite = gpu_suite_of(names.front());
  for (const std::string& name : names) {
    if (gpu_suite_of(name) == suite) continue;
    return fail(ErrorCode::usage, "\"" + names.front() + "\" and \"" + name + "\" are not measured together",
                "name them in two calls");
  }
  return suite;
}

/// Which of the names mean this benchmark or its rows, as Context has it; nothing: none of them.
std::optional<std::vector<std::string>> rows_of(const bench::Benchmark& benchmark,
                                                const std::vector<std::string>& names) {
  std::vector<std::string> rows;
  for (const std::string& name : names) {
    if (name == benchmark.group || name == benchmark.name) return std::vector<std::string>{};
    if (is_among(benchmark.rows, name)) rows.push_back(name);
  }
  if (rows.empty()) return {};
  return rows;
}

Expected<void> check_known(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto is_meant = [&](const bench::Benchmark& benchmark) { return rows_of(benchmark, {name}).has_value(); };
    if (gpu_suite_of(name) == nullptr && std::ranges::none_of(bench::benchmarks(), is_meant)) {
      return fail(ErrorCode::usage, "there is no benchmark \"" + name + "\"", "natscope-cli bench --list shows them");
    }
  }
  return {};
}

std::string row_text(const bench::Row& row) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), "%-28s %12.2f %-9s", row.name.c_str(), row.value, row.unit.c_str());
  std::string line = text.data();
  if (row.fraction_of_limit) {
    std::snprintf(text.data(), text.size(), "  %5.1f %% of the limit %.2f", 100 * *row.fraction_of_limit,
                  row.limit.value_or(0));
    line += text.data();
  }
  if (row.ratio) {
    std::snprintf(text.data(), text.size(), "  %.2f × %s", *row.ratio, row.reference.c_str());
    line += text.data();
  }
  std::snprintf(text.data(), text.size(), "  (%lld runs, spread %.0f %%)\n", static_cast<long long>(row.runs),
                100 * row.spread);
  line += text.data();
  return row.target.empty() ? line : line + "                               target: " + row.target + "\n";
}

std::string not_run_text(const bench::GpuReport::NotMeasured& missing) {
  std::string line = missing.row;
  line.resize(std::max<std::size_t>(28, line.size()), ' ');
  return line + " not run: " + missing.why + "\n";
}

/// The rows on a GPU, by themselves: their machine and roofs are others.
Expected<void> run_on_gpu(const bench::GpuSuite& suite, const Options& options, CommandContext& context) {
  if (options.device == "cpu") {
    return fail(ErrorCode::usage, "--device cpu, but \"" + options.names.front() + "\" measures a GPU",
                "leave --device out");
  }
  if (!options.results.empty()) NATSCOPE_CHECK(check_writable_target(options.results));
  // Minutes of a GPU's time: what was measured is written, and shown, as soon as it is there.
  Expected<void> kept;
  std::size_t shown = 0;
  const auto keep = [&](const bench::GpuResults& results) {
    const nlohmann::json whole = bench::gpu_results_json(results, options.commit, today());
    if (kept && !options.results.empty())
      kept = write_file_atomically(options.results, std::string_view(whole.dump(2) + "\n"));
    for (; kept && !context.json && shown < results.rows.size(); ++shown)
      kept = print_text(row_text(results.rows[shown]));
  };
  const bool all = std::ranges::find(options.names, suite.name) != options.names.end();
  const bench::Context what{context.stop, options.threads, all ? std::vector<std::string>{} : options.names};
  NATSCOPE_TRY(const bench::GpuResults results, bench::run_gpu(suite, what, keep));
  keep(results);  // with what there was no time for
  NATSCOPE_CHECK(kept);
  if (context.json) NATSCOPE_CHECK(print_json(bench::gpu_results_json(results, options.commit, today())["rows"]));
  return check(context.stop);
}

Expected<void> print_list(bool json) {
  constexpr std::size_t indent = 20;
  nlohmann::json list = nlohmann::json::array();
  std::string text;
  std::string group;
  const auto add = [&](const auto& one, const std::vector<const char*>& rows, const std::string& between) {
    list.push_back({{"name", one.name}, {"group", one.group}, {"description", one.description}, {"rows", rows}});
    const bool is_all = std::string(one.name) == one.group;
    if (group != one.group && !is_all) {
      group = one.group;
      std::string heading = group;
      heading.resize(indent, ' ');
      text += heading + "all of these:\n";
    }
    std::string label = (is_all ? "" : "  ") + std::string(one.name);
    label.resize(indent, ' ');
    text += label + one.description + "\n";
    std::string names;
    for (const char* const row : rows) names += (names.empty() ? "" : between) + row;
    if (!names.empty()) text += std::string(indent, ' ') + names + "\n";
  };
  for (const auto& benchmark : bench::benchmarks()) add(benchmark, benchmark.rows, ", ");
  for (const auto& suite : bench::gpu_suites()) add(suite, suite.rows(), "\n" + std::string(indent, ' '));
  return json ? print_json(list) : print_text(text);
}

Expected<void> run(const Options& options, CommandContext& context) {
  if (options.list && !options.names.empty())
    return fail(ErrorCode::usage, "--list names all benchmarks, and measures none", "leave the names out, or --list");
  if (options.list) return print_list(context.json);
  if (options.names.empty())
    return fail(ErrorCode::usage, "no benchmark was named", "natscope-cli bench --list shows them");
  NATSCOPE_CHECK(check_known(options.names));
  NATSCOPE_TRY(const bench::GpuSuite* const on_gpu, gpu_suite_of_all(options.names));
  if (on_gpu != nullptr) return run_on_gpu(*on_gpu, options, context);
  if (options.device == "cuda") {
    return fail(ErrorCode::device_unavailable, "these benchmarks run on the CPU", "leave --device out");
  }
  if (options.threads > 0) kernels::set_threads(options.threads);
  if (!options.results.empty()) NATSCOPE_CHECK(check_writable_target(options.results));

  nlohmann::json rows = nlohmann::json::array();
  nlohmann::json missing = nlohmann::json::array();
  const auto report = [&](const std::vector<bench::Row>& measured) -> Expected<void> {
    for (const bench::Row& row : measured) {
      rows.push_back(as_json(row));
      if (!context.json) NATSCOPE_CHECK(print_text(row_text(row)));
    }
    return {};
  };
  for (const auto& benchmark : bench::benchmarks()) {
    const auto wanted = rows_of(benchmark, options.names);
    if (!wanted) continue;
    std::fprintf(stderr, "%s: %s\n", benchmark.name, benchmark.description);
    NATSCOPE_TRY(const auto measured, benchmark.run({context.stop, options.threads, *wanted}));
    NATSCOPE_CHECK(report(measured));
  }
  for (const auto& suite : bench::gpu_suites()) {
    if (std::ranges::find(options.names, suite.group) == options.names.end() || options.device == "cpu") continue;
    NATSCOPE_TRY(const auto results, bench::run_gpu_if_there(suite, {context.stop, options.threads}));
    NATSCOPE_CHECK(report(results.rows));
    for (const auto& one : results.report.not_measured) {
      if (!context.json) NATSCOPE_CHECK(print_text(not_run_text(one)));
    }
    missing = bench::not_measured_json(results.report);
  }
  if (!options.results.empty()) {
    NATSCOPE_TRY(const auto roofs, bench::measured_roofs());
    NATSCOPE_CHECK(write_file_atomically(options.results,
                                         std::string_view(results_json(rows, missing, roofs, options).dump(2) + "\n")));
  }
  return context.json ? print_json(rows) : Expected<void>{};
}

}  // namespace

void add_bench_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "bench", "Measure speed against the machine's limits");
  // For help and completion; what else a name can be, check_known() says.
  std::string names;
  std::string group;
  const auto add_name = [&](const std::string& name) { names += (names.empty() ? "" : ",") + name; };
  const auto add_names = [&](const auto& one) {
    if (group != one.group && std::string(one.name) != one.group) add_name(one.group);
    group = one.group;
    add_name(one.name);
  };
  for (const auto& benchmark : bench::benchmarks()) add_names(benchmark);
  for (const auto& suite : bench::gpu_suites()) add_names(suite);
  command
      ->add_option("NAME", options->names,
                   "Benchmarks, a group of them, or single rows, which --list shows. Several at once are measured in "
                   "their own order; those of a GPU must be of one benchmark")
      ->type_name("TEXT:{" + names + "}")
      ->delimiter(',');
  command->add_flag("--list", options->list, "Name the benchmarks");
  command->add_option("--results", options->results, "Also write rows, roofs and machine to this JSON file")
      ->type_name("FILE");
  command->add_option("--commit", options->commit, "The commit that was measured, for --results")->type_name("ID");
  add_device_option(*command, options->device);
  add_threads_option(*command, options->threads);
  add_seed_option(*command, options->seed,
                  "Taken as everywhere, but models and tokens that are measured are always the same");
  const char* const why = "models of fixed shapes are measured, so that figures of machines compare";
  for (const char* const flag : {"--model", "--adapter", "--dtype"}) add_refused_option(*command, flag, why);
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
