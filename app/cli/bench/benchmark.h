// SPDX-License-Identifier: GPL-3.0-or-later
/// What a benchmark measures and how it is reported. Ratios are paired: subject and reference in turn, in one run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"

namespace natscope::bench {

/// Medians of several runs. A lower value is better where the unit is a time, a higher one elsewhere.
struct Row {
  std::string name;
  std::string size;                         ///< what was computed: "124 M shape, T = 1024"
  double value = 0;                         ///< median
  std::string unit;                         ///< "tokens/s", "ms", …
  std::string reference;                    ///< what it was paired with in the same run; empty: nothing
  std::optional<double> ratio;              ///< how many times better than the reference: median of the pairs
  std::optional<double> limit;              ///< the roof measured in the same run, in `unit`
  std::optional<double> fraction_of_limit;  ///< how much of the limit was reached, 0 … 1
  std::int64_t runs = 0;
  double spread = 0;        ///< (largest − smallest) / median over the runs
  std::string target = {};  ///< what it should reach, for people; empty: nothing is set
};

[[nodiscard]] nlohmann::json as_json(const Row& row);

/// Median and spread of measured values; at least one.
struct Summary {
  double median = 0;
  double spread = 0;
};
[[nodiscard]] Summary summarise(std::vector<double> values);

/// Seconds that one call takes.
[[nodiscard]] double seconds_of(const std::function<void()>& work);

/// What the machine can do, measured once a process when it is first asked for.
struct Roofs {
  double read_bytes_per_s = 0;     ///< streaming reads on all threads, a buffer far over the caches
  double gemm_f32_flop_per_s = 0;  ///< LibTorch's product of 2048² matrices
  double gemm_bf16_flop_per_s = 0;
};
[[nodiscard]] Expected<Roofs> measured_roofs();

struct Context {
  std::stop_token stop;
  int threads = 0;
  std::vector<std::string> rows = {};        ///< those that are wanted; empty: all
  std::filesystem::path device_module = {};  ///< as EngineOptions has it, for rows on a device

  [[nodiscard]] bool wants(std::string_view name) const {
    return rows.empty() || std::find(rows.begin(), rows.end(), name) != rows.end();
  }
};

struct Benchmark {
  const char* name;   ///< as `bench NAME` takes it
  const char* group;  ///< `bench GROUP` runs all of it: "cpu", "train"
  const char* description;
  Expected<std::vector<Row>> (*run)(const Context& context);  ///< measures only the rows that `context` wants
  std::vector<const char*> rows = {};                         ///< their names; `bench NAME` takes one of them, too
};

[[nodiscard]] std::span<const Benchmark> benchmarks();

}  // namespace natscope::bench
