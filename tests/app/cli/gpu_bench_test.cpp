// SPDX-License-Identifier: GPL-3.0-or-later
// What of `bench gpu` needs no GPU, and its rows through the engine on a device made of ordinary memory.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

#include "app/cli/bench/gpu/gpu.h"
#include "app/cli/bench/gpu/paired_steps.h"
#include "app/cli/bench/gpu/role_patterns.h"
#include "app/cli/bench/training_work.h"
#include "core/engine/products/weight_conversion.h"
#include "core/io/model_folder.h"
#include "tests/core/engine/modules/host_device.h"

namespace natscope::bench {
namespace {

constexpr RolePattern all_patterns[] = {RolePattern::independent, RolePattern::bursts, RolePattern::few_full};

GpuScale tiny_scale() {
  GpuScale scale;
  scale.small = scale.large = ModelShape{2, 4, 2, 64, 96, 4096, 512};
  scale.small_depth = 24;
  scale.large_depth = 96;
  scale.chunk = 16;
  scale.context_memory_bytes = scale.large.matrix_elements() * 2 + (1 << 18);
  scale.context_tokens_limit = 1 << 16;
  scale.training_segments = 2;
  scale.training_context = 40;
  scale.finetune_tokens = 48;
  scale.seconds = 60;
  return scale;
}

}  // namespace

TEST_CASE("patterns of roles hold the fraction that was asked for") {
  for (const RolePattern pattern : all_patterns) {
    CAPTURE(name(pattern));
    const RoleArray roles = pattern_roles(pattern, 1, 16, 20'000, 0.16);
    CHECK(roles.roles.size() == 16U * 20'000U);
    const auto held = held_at_end(roles, 0, pattern_window);
    const double fraction =
        static_cast<double>(std::accumulate(held.begin(), held.end(), std::int64_t{0})) / (16 * 20'000);
    // In bursts half of the tokens are Locals, which are gone at the next Global.
    const double expected = pattern == RolePattern::bursts ? 0.09 : 0.16;
    CHECK(fraction == doctest::Approx(expected).epsilon(0.1));
    CHECK(roles.roles == pattern_roles(pattern, 1, 16, 20'000, 0.16).roles);
  }
}

TEST_CASE("few full heads hold everything, the others next to nothing") {
  const auto held = held_at_end(pattern_roles(RolePattern::few_full, 1, 16, 10'000, 0.16), 0, pattern_window);
  CHECK(held[0] == 10'000);
  CHECK(held[8] == 10'000);
  CHECK(held[1] < 600);
  CHECK(tokens_of_fullest(held) == 10'000);
  CHECK(tokens_of_equal_bytes(held) == doctest::Approx(1600).epsilon(0.1));
}

TEST_CASE("bursts hold Locals until the next Global") {
  const RoleArray roles = pattern_roles(RolePattern::bursts, 1, 1, 5000, 0.1);
  CHECK(std::count(roles.roles.begin(), roles.roles.end(), Role::local) > 1000);
}

TEST_CASE("visible pairs are those of the mask") {
  for (const RolePattern pattern : all_patterns) {
    const RoleArray roles = pattern_roles(pattern, 2, 2, 200, 0.3);
    std::int64_t counted = 0;
    for (std::size_t head = 2; head < 4; ++head) {
      std::vector<std::uint8_t> seen(200 * 200);
      REQUIRE(kernels::visibility(std::span(roles.roles).subspan(head * 200, 200), pattern_window,
                                  kernels::View<std::uint8_t, 2>::packed(seen.data(), {200, 200}))
                  .ok());
      counted += std::accumulate(seen.begin(), seen.end(), std::int64_t{0});
    }
    CHECK(visible_pairs(roles, 1, pattern_window) == counted);
  }
  const RoleArray dense{1, 1, 10, std::vector<Role>(10, Role::global)};
  CHECK(visible_pairs(dense, 0, 0) == 55);
}

TEST_CASE("equal bytes round to a token and are never nothing") {
  CHECK(tokens_of_equal_bytes({}) == 1);
  CHECK(tokens_of_equal_bytes(std::vector<std::int64_t>{0, 0}) == 1);
  CHECK(tokens_of_equal_bytes(std::vector<std::int64_t>{3, 4}) == 4);
  CHECK(tokens_of_fullest(std::vector<std::int64_t>{3, 4}) == 4);
}

TEST_CASE("as many steps as there is time for") {
  CHECK(plan_steps(0.001, 10).warm_up == 50);
  CHECK(plan_steps(0.001, 10).timed == 100);
  const StepPlan some = plan_steps(1, 30);
  CHECK(some.warm_up == 10);
  CHECK(some.timed == 20);
  const StepPlan least = plan_steps(100, 30);
  CHECK(least.warm_up == 1);
  CHECK(least.timed == 3);
  CHECK(plan_steps(0, 10).timed == 100);
}

TEST_CASE("all parts of a suite together fit into the time") {
  for (const GpuSuite& suite : gpu_suites()) {
    CAPTURE(std::string(suite.name));
    double seconds = 10;  // the roofs
    for (const GpuPart& part : suite.parts) seconds += part.budget_s;
    CHECK(seconds <= GpuScale().seconds);
  }
}

TEST_CASE("steps are taken in turn, and the ratio is the median of the pairs") {
  std::string order;
  const auto times = paired_steps(
      [&]() -> Expected<double> {
        order += 'A';
        return 1.0;
      },
      [&]() -> Expected<double> {
        order += 'B';
        return order.size() % 4 == 0 ? 3.0 : 2.0;
      },
      1e9, {});
  REQUIRE(times);
  CHECK(order.size() == 2 * 150);
  for (std::size_t i = 0; i < order.size(); ++i) REQUIRE(order[i] == (i % 2 == 0 ? 'A' : 'B'));
  CHECK(times->ours.size() == 100);
  CHECK(times->ratio() == doctest::Approx(2.5));
  Row row;
  put_times(row, *times, [](double seconds_of_step) { return 4 / seconds_of_step; });
  CHECK(row.value == 4);
  CHECK(row.runs == 100);
  CHECK(row.spread == 0);
}

TEST_CASE("a step that fails ends the measurement with its error") {
  const auto times =
      paired_steps([]() -> Expected<double> { return fail(ErrorCode::out_of_memory, "none"); }, {}, 1, {});
  REQUIRE(!times);
  CHECK(times.error().code == ErrorCode::out_of_memory);
}

TEST_CASE("a part that fails is written down, and the next one is measured") {
  const Context context;
  GpuRun run{context, tiny_scale()};
  const std::vector<GpuPart> parts{
      {{"a", "b"},
       1,
       [](GpuRun&, double) -> Expected<std::vector<Row>> { return fail(ErrorCode::out_of_memory, "too big"); }},
      {{"c"}, 1e9, [](GpuRun&, double) -> Expected<std::vector<Row>> { return std::vector<Row>(5); }},
      {{"d"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> { return std::vector<Row>(1); }},
      {{"e"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> { return std::vector<Row>(7); }, true},
  };
  const auto rows = run_gpu_parts(run, parts);
  REQUIRE(rows);
  CHECK(rows->size() == 1);
  REQUIRE(run.report.not_measured.size() == 4);
  CHECK(run.report.not_measured[1].row == "b");
  CHECK(run.report.not_measured[1].why == "too big");
  CHECK(run.report.not_measured[2].why == "no time is left");
  const auto json = gpu_results_json({run.report, *rows}, "abc", "2000-01-01");
  CHECK(json["rows"].size() == 1);
  CHECK(json["not_measured"][3]["name"] == "e");
  CHECK(json["roofs"]["read_bytes_per_s"].is_null());
}

TEST_CASE("a part that throws is one that failed, and whoever listens hears of each part when it ends") {
  const Context context;
  GpuRun run{context, tiny_scale()};
  std::vector<std::pair<std::size_t, std::size_t>> heard;  // rows, rows that were not measured
  run.measured_so_far = [&](const GpuReport& report, const std::vector<Row>& rows) {
    heard.emplace_back(rows.size(), report.not_measured.size());
  };
  const auto rows = run_gpu_parts(
      run,
      {{{"a"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> { return std::vector<Row>(2); }},
       {{"b", "c"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> { throw std::runtime_error("a defect"); }},
       {{"d"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> { return std::vector<Row>(1); }}});
  REQUIRE(rows);
  CHECK(rows->size() == 3);
  CHECK(heard == std::vector<std::pair<std::size_t, std::size_t>>{{2, 0}, {2, 2}, {3, 2}});
  REQUIRE(run.report.not_measured.size() == 2);
  CHECK(run.report.not_measured[0].why.find("a defect") != std::string::npos);

  GpuRun alone{context, tiny_scale()};
  const auto nothing = run_gpu_parts(
      alone, {{{"b"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> { throw std::runtime_error("a defect"); }}});
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().message.find("a defect") != std::string::npos);
}

TEST_CASE("a stop keeps the rows that are there and leaves the others out") {
  static std::stop_source stop;
  Context context;
  context.stop = stop.get_token();
  const std::vector<GpuPart> parts{
      {{"a"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> { return std::vector<Row>(1); }},
      {{"b"},
       1,
       [](GpuRun&, double) -> Expected<std::vector<Row>> {
         stop.request_stop();
         return fail(ErrorCode::interrupted, "interrupted");
       }},
      {{"c"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> { return std::vector<Row>(1); }}};
  GpuRun run{context, tiny_scale()};
  const auto rows = run_gpu_parts(run, parts);
  REQUIRE(rows);
  CHECK(rows->size() == 1);
  REQUIRE(run.report.not_measured.size() == 2);
  CHECK(run.report.not_measured[1].row == "c");
  CHECK(run.report.not_measured[1].why == "interrupted");
  GpuRun late{context, tiny_scale()};
  const auto none = run_gpu_parts(late, parts);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ErrorCode::interrupted);
}

TEST_CASE("of the rows that are named all are measured, and no others") {
  Context context;
  context.rows = {"c", "a"};
  GpuRun run{context, tiny_scale()};
  static bool called = false;
  const auto rows = run_gpu_parts(run, {{{"a", "b"},
                                         1,
                                         [](GpuRun&, double) -> Expected<std::vector<Row>> {
                                           std::vector<Row> both(2);
                                           both[0].name = "a";
                                           both[1].name = "b";
                                           return both;
                                         }},
                                        {{"c"},
                                         1,
                                         [](GpuRun&, double) -> Expected<std::vector<Row>> {
                                           std::vector<Row> one(1);
                                           one[0].name = "c";
                                           return one;
                                         }},
                                        {{"d"}, 1, [](GpuRun&, double) -> Expected<std::vector<Row>> {
                                           called = true;
                                           return std::vector<Row>(1);
                                         }}});
  REQUIRE(rows);
  REQUIRE(rows->size() == 2);
  CHECK((*rows)[0].name == "a");
  CHECK((*rows)[1].name == "c");
  CHECK_FALSE(called);
}

TEST_CASE("a random model is whole, has the weights that were asked for, and goes with its object") {
  const ModelShape shape{2, 4, 2, 64, 96, 4096, 512};
  std::filesystem::path path;
  for (const auto dtype : {kernels::ElementType::f32, kernels::ElementType::bf16}) {
    const auto made = RandomModelFolder::create(shape, dtype);
    REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
    path = made->path();
    const auto folder = ModelFolder::open(path);
    REQUIRE_MESSAGE(folder, (folder ? "" : folder.error().message));
    REQUIRE(folder->weights().layers.size() == 2);
    std::vector<float> rows;
    for (const LayerWeights& layer : folder->weights().layers) {
      for (const WeightView* view : {&layer.q, &layer.down}) {
        const std::size_t begin = rows.size();
        rows.resize(begin + static_cast<std::size_t>(view->elements()));
        read_weights(*view, 0, std::span(rows).subspan(begin));
      }
      CHECK(read_vector(layer.input_norm) == std::vector<float>(64, 1.0F));
    }
    double sum = 0;
    double squares = 0;
    for (const float number : rows) {
      sum += static_cast<double>(number);
      squares += static_cast<double>(number) * static_cast<double>(number);
    }
    const auto count = static_cast<double>(rows.size());
    CHECK(std::abs(sum / count) < 0.001);
    CHECK(std::sqrt(squares / count) == doctest::Approx(0.02).epsilon(0.03));
    // No row and no matrix is another one's copy.
    CHECK(!std::equal(rows.begin(), rows.begin() + 64, rows.begin() + 64));
    CHECK(!std::equal(rows.begin(), rows.begin() + 64, rows.begin() + 64 * 64));
  }
  CHECK(!std::filesystem::exists(path));
}

TEST_CASE("rows through the engine, end to end on a device of ordinary memory") {
  Context context;
  context.device_module = test::host_device_module;
  GpuRun run{context, tiny_scale()};
  run.report.gpu = "host";
  run.report.read_bytes_per_s = 1e9;
  const auto rows = run_gpu_parts(run, [] {
    std::vector<GpuPart> parts = gpu_suite("gpu").parts;
    for (GpuPart& part : parts) part.budget_s = 8;
    return parts;
  }());
  REQUIRE_MESSAGE(rows, (rows ? "" : rows.error().message));
  std::vector<std::string> names;
  for (const Row& row : *rows) {
    CAPTURE(row.name);
    names.push_back(row.name);
    CHECK(row.value > 0);
    CHECK(row.runs > 0);
    CHECK(row.size.find("host") != std::string::npos);
    CHECK(!row.target.empty());
    CHECK(as_json(row).size() == 10);
  }
  CHECK(names == std::vector<std::string>{"decode_step_124m", "accounting_overhead", "longest_context_80gb",
                                          "memory_8b_200k", "decode_8b_200k", "decode_8b_200k_dense",
                                          "prefill_8b_200k"});
  for (const auto& [row, why] : run.report.not_measured) CHECK(row.find("kernel") + row.find("backward") != 0);
  CHECK(run.report.not_measured.size() == 13);
  CHECK(*(*rows)[3].ratio > 1.0);  // memory
  CHECK((*rows)[6].reference.find("flash") != std::string::npos);
  CHECK(*(*rows)[6].ratio > 0);
  const Row& context_row = (*rows)[2];
  CHECK(context_row.value < 1 << 16);  // memory ended it, not the limit of the search
  CHECK(*context_row.fraction_of_limit <= 1.0);
}

TEST_CASE("rows of training, end to end in ordinary memory") {
  const Context context;
  GpuRun run{context, tiny_scale()};
  run.passes = train::PassesOn::libtorch;
  // A name that a data sheet is known of; what is measured here is no figure of that GPU's.
  run.report.gpu = "host as if H100 PCIe";
  run.report.gemm_bf16_flop_per_s = 1e12;
  std::vector<GpuPart> parts = gpu_suite("train_gpu").parts;
  for (GpuPart& part : parts) part.budget_s = 2;
  const auto rows = run_gpu_parts(run, parts);
  REQUIRE_MESSAGE(rows, (rows ? "" : rows.error().message));
  std::vector<std::string> names;
  for (const Row& row : *rows) {
    CAPTURE(row.name);
    names.push_back(row.name);
    CHECK(row.value > 0);
    CHECK(row.runs >= 3);
    CHECK(row.size.find("host") != std::string::npos);
  }
  CHECK(names == std::vector<std::string>{"train_step_124m_gpu", "train_step_124m_gpu_peak", "train_step_124m_full_gpu",
                                          "train_step_124m_full_gpu_peak", "finetune_step_8b_8k",
                                          "finetune_step_8b_8k_peak"});
  // Both say the same steps, one beside the measured product, one beside the sheet.
  for (std::size_t i = 0; i + 1 < rows->size(); i += 2) {
    const Row &rate = (*rows)[i], &peak = (*rows)[i + 1];
    CHECK(peak.value / 100 == doctest::Approx(*rate.fraction_of_limit * 1e12 / 756e12));
  }
  REQUIRE(run.report.not_measured.size() == 1);
  CHECK(run.report.not_measured[0].row == "finetune_memory_8b_8k");
}

TEST_CASE("of a GPU whose data sheet is not known, no share of it is said") {
  Context context;
  context.rows = {"train_step_124m_gpu_peak"};
  GpuRun run{context, tiny_scale()};
  run.passes = train::PassesOn::libtorch;
  run.report.gpu = "host";
  std::vector<GpuPart> parts = gpu_suite("train_gpu").parts;
  for (GpuPart& part : parts) part.budget_s = 1;
  const auto rows = run_gpu_parts(run, parts);
  REQUIRE(rows);
  CHECK(rows->empty());
  REQUIRE(run.report.not_measured.size() == 1);
  CHECK(run.report.not_measured[0].row == "train_step_124m_gpu_peak");
}

TEST_CASE("the arithmetic of a step is six times parameters and tokens, and attention's") {
  ModelShape shape;  // 124 M
  CHECK(training_flop(shape, 1) == doctest::Approx(6.0 * 123.5e6).epsilon(0.01));
  shape.layers = 0;
  CHECK(training_flop(shape, 1000) == 6.0 * 50257 * 768 * 1000);
  CHECK(distillation_flop(shape, 1000) == 0);
  // One layer more: its matrices, and two products of the causal half, forward and twice backward.
  shape.layers = 1;
  const double matrices = 4.0 * 768 * 768 + 3.0 * 768 * 2048, pairs = 1000.0 * 1001 / 2;
  CHECK(training_flop(shape, 1000) - 6.0 * 50257 * 768 * 1000 ==
        doctest::Approx(6 * matrices * 1000 + 3 * 4 * pairs * 768));
  CHECK(distillation_flop(shape, 1000) == doctest::Approx(8 * matrices * 1000 + 5 * 4 * pairs * 768));
}

TEST_CASE("without a GPU nothing is measured") {
  if (std::filesystem::exists("/dev/nvidia0")) return;
  for (const GpuSuite& suite : gpu_suites()) {
    CAPTURE(std::string(suite.name));
    const auto results = run_gpu(suite, {});
    REQUIRE(!results);
    CHECK(results.error().code == ErrorCode::device_unavailable);
    const auto part_of_more = run_gpu_if_there(suite, {});
    REQUIRE(part_of_more);
    CHECK(part_of_more->rows.empty());
    REQUIRE(part_of_more->report.not_measured.size() == suite.rows().size());
    for (const auto& [row, why] : part_of_more->report.not_measured) CHECK(why.rfind("no GPU: ", 0) == 0);
  }
}

}  // namespace natscope::bench
