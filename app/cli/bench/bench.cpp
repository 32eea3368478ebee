// SPDX-License-Identifier: GPL-3.0-or-later
/// `bench`: measures, and writes what was measured.
#include <omp.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/cli/bench/benchmark.h"
#include "app/cli/bench/gpu/gpu.h"
#include "app/cli/commands.h"
#include "app/cli/model_options.h"
#include "core/base/atomic_file.h"

namespace natscope {
namespace {

struct Options {
  std::string name;
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

nlohmann::json results_json(const nlohmann::json& rows, const bench::Roofs& roofs, const Options& options) {
  return {{"commit", options.commit},
          {"date", today()},
          {"machine", processor_name() + ", " + std::to_string(omp_get_num_procs()) + " cores"},
          {"threads", omp_get_max_threads()},
          {"roofs",
           {{"read_bytes_per_s", roofs.read_bytes_per_s},
            {"gemm_f32_flop_per_s", roofs.gemm_f32_flop_per_s},
            {"gemm_bf16_flop_per_s", roofs.gemm_bf16_flop_per_s}}},
          {"rows", rows}};
}

bool is_gpu_name(const std::string& name) {
  const auto rows = bench::gpu_row_names();
  return name == "gpu" || std::find(rows.begin(), rows.end(), name) != rows.end();
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

/// The rows on a GPU, by themselves: their machine and roofs are others.
Expected<void> run_on_gpu(const Options& options, CommandContext& context) {
  if (options.device == "cpu") {
    return fail(ErrorCode::usage, "--device cpu, but \"" + options.name + "\" measures a GPU", "leave --device out");
  }
  if (!options.results.empty()) NATSCOPE_CHECK(check_writable_target(options.results));
  NATSCOPE_TRY(const bench::GpuResults results,
               bench::run_gpu({context.stop, options.threads, options.name == "gpu" ? "" : options.name}));
  const nlohmann::json whole = bench::gpu_results_json(results, options.commit, today());
  if (!options.results.empty())
    NATSCOPE_CHECK(write_file_atomically(options.results, std::string_view(whole.dump(2) + "\n")));
  if (context.json) return print_json(whole["rows"]);
  for (const bench::Row& row : results.rows) NATSCOPE_CHECK(print_text(row_text(row)));
  return {};
}

Expected<void> print_list(bool json) {
  nlohmann::json list = nlohmann::json::array();
  std::string text;
  const char* group = "";
  for (const auto& benchmark : bench::benchmarks()) {
    list.push_back({{"name", benchmark.name},
                    {"group", benchmark.group},
                    {"description", benchmark.description},
                    {"rows", benchmark.rows}});
    if (std::string(group) != benchmark.group) {
      group = benchmark.group;
      std::string heading = group;
      heading.resize(20, ' ');
      text += heading + "all of these:\n";
    }
    std::string label = std::string("  ") + benchmark.name;
    label.resize(20, ' ');
    text += label + benchmark.description + "\n";
    std::string rows;
    for (const char* const row : benchmark.rows) rows += std::string(rows.empty() ? "" : ", ") + row;
    if (!rows.empty()) text += std::string(20, ' ') + rows + "\n";
  }
  std::string rows;
  for (const char* const row : bench::gpu_row_names()) rows += std::string(20, ' ') + row + "\n";
  constexpr const char* description = "kernels and whole models on an NVIDIA GPU, in under 8 minutes";
  list.push_back({{"name", "gpu"}, {"group", "gpu"}, {"description", description}, {"rows", bench::gpu_row_names()}});
  text += "gpu                 " + std::string(description) + "\n" + rows;
  return json ? print_json(list) : print_text(text);
}

Expected<void> run(const Options& options, CommandContext& context) {
  if (options.list) return print_list(context.json);
  if (options.name.empty())
    return fail(ErrorCode::usage, "no benchmark was named", "natscope-cli bench --list shows them");
  if (is_gpu_name(options.name)) return run_on_gpu(options, context);
  if (options.device == "cuda") {
    return fail(ErrorCode::device_unavailable, "these benchmarks run on the CPU", "leave --device out");
  }
  if (options.threads > 0) omp_set_num_threads(options.threads);
  if (!options.results.empty()) NATSCOPE_CHECK(check_writable_target(options.results));

  bool found = false;
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& benchmark : bench::benchmarks()) {
    const bool is_group = options.name == benchmark.group || options.name == benchmark.name;
    const bool is_row = std::find(benchmark.rows.begin(), benchmark.rows.end(), options.name) != benchmark.rows.end();
    if (!is_group && !is_row) continue;
    found = true;
    std::fprintf(stderr, "%s: %s\n", benchmark.name, benchmark.description);
    NATSCOPE_TRY(const auto measured, benchmark.run({context.stop, options.threads, is_group ? "" : options.name}));
    for (const bench::Row& row : measured) {
      rows.push_back(as_json(row));
      if (!context.json) NATSCOPE_CHECK(print_text(row_text(row)));
    }
  }
  if (!found) {
    return fail(ErrorCode::usage, "there is no benchmark \"" + options.name + "\"",
                "natscope-cli bench --list shows them");
  }
  if (!options.results.empty()) {
    NATSCOPE_TRY(const auto roofs, bench::measured_roofs());
    NATSCOPE_CHECK(
        write_file_atomically(options.results, std::string_view(results_json(rows, roofs, options).dump(2) + "\n")));
  }
  return context.json ? print_json(rows) : Expected<void>{};
}

}  // namespace

void add_bench_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = root.add_subcommand("bench", "Measure speed against the machine's limits");
  command->add_option("NAME", options->name,
                      "Benchmark, one of its rows, or a group: cpu, train, gpu; --list shows them");
  command->add_flag("--list", options->list, "Name the benchmarks");
  command->add_option("--results", options->results, "Also write rows, roofs and machine to this JSON file")
      ->type_name("FILE");
  command->add_option("--commit", options->commit, "The commit that was measured, for --results")->type_name("ID");
  add_device_option(*command, options->device);
  add_threads_option(*command, options->threads);
  add_seed_option(*command, options->seed,
                  "Taken as everywhere; models and tokens that are measured are always the same");
  const char* const why = "models of fixed shapes are measured, so that figures of machines compare";
  for (const char* const flag : {"--model", "--adapter", "--dtype"}) add_refused_option(*command, flag, why);
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
