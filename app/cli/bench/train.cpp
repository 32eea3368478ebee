// SPDX-License-Identifier: GPL-3.0-or-later
/// Training: a whole optimiser step, and what the role gradient costs beside plain masked attention.
#include <random>
#include <string>

#include "app/cli/bench/benchmarks.h"
#include "app/cli/bench/random_model.h"
#include "app/cli/bench/training_work.h"
#include "core/train/options/train_options.h"
#include "core/train/passes/optimizer.h"
#include "core/train/passes/training_model.h"
#include "kernels/attention_train.h"

namespace natscope::bench {
namespace {

constexpr std::int64_t context_length = 1024;
constexpr int step_runs = 5;
constexpr int pair_runs = 9;
constexpr int window = 16;

const char* step_name(bool nats) { return nats ? "train_step_124m" : "train_step_124m_full"; }
std::string backward_name(std::int64_t head_dim) { return "backward_roles_cpu_" + std::to_string(head_dim); }

/// One step on one segment: forward, backward, clip, AdamW, and the rounding of the new weights.
Expected<Row> step_row(bool nats, const Context& context) {
  NATSCOPE_TRY(const Roofs roofs, measured_roofs());
  NATSCOPE_TRY(const auto options, training_options(shape_124m, 1, context_length, kernels::ElementType::f32, !nats));
  const ModelConfig config = train::model_config(options);
  NATSCOPE_TRY(auto model,
               train::TrainingModel::create(config, options.dtype, 1, options.threads, kernels::Backend::cpu));
  const train::ParameterLayout& layout = model.layout();
  train::TrainingState state;
  state.weights = train::initial_parameters(config, layout, 0);
  state.first_moment.assign(state.weights.size(), 0.0F);
  state.second_moment.assign(state.weights.size(), 0.0F);
  model.set_weights(state.weights);

  const auto tokens = training_tokens(context_length, config.vocab);
  const auto targets = training_tokens(context_length, config.vocab, 1);
  std::vector<float> gradient(state.weights.size());
  train::StepContext step;
  step.loss_scale = 1.0 / context_length;
  step.applied_sparsity = train::applied_sparsity(5e-9, context_length);
  std::vector<double> rates;
  for (int run = 0; run <= step_runs; ++run) {  // the first one warms up
    Expected<void> done;
    const double seconds = seconds_of([&] {
      std::fill(gradient.begin(), gradient.end(), 0.0F);
      step.step = run + 1;
      auto pass = model.forward_backward({tokens, targets}, step, gradient, context.stop);
      if (!pass) {
        done = Unexpected(std::move(pass).error());
        return;
      }
      train::optimizer_step({1e-4, 0.9, 0.95, 0.1, 1.0}, run + 1, layout, gradient, state);
      model.set_weights(state.weights);
    });
    NATSCOPE_CHECK(std::move(done));
    if (run > 0) rates.push_back(context_length / seconds);
  }
  const Summary rate = summarise(rates);
  Row row;
  row.name = step_name(nats);
  row.size = std::string("124 M shape, ") + (nats ? "learned roles" : "full attention") +
             ", f32, T = 1024, one segment a step";
  row.value = rate.median;
  row.unit = "tokens/s";
  row.limit = context_length * roofs.gemm_f32_flop_per_s / training_flop(shape_124m, context_length);
  row.fraction_of_limit = rate.median / *row.limit;
  row.runs = step_runs;
  row.spread = rate.spread;
  return row;
}

/// What one backward pass of attention reads and writes.
struct BackwardArrays {
  std::int64_t heads, kv_heads, head_dim;
  std::vector<float> q, k, v, d_out, out, lse, dq, dk, dv, d_roles;
  std::vector<Role> roles;

  BackwardArrays(std::int64_t h, std::int64_t g, std::int64_t d) : heads(h), kv_heads(g), head_dim(d) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    const auto fill = [&](std::vector<float>& array, std::int64_t count) {
      array.resize(static_cast<std::size_t>(count * context_length * head_dim));
      for (float& x : array) x = normal(random);
    };
    fill(q, heads);
    fill(k, kv_heads);
    fill(v, kv_heads);
    fill(d_out, heads);
    out.resize(q.size());
    dq.resize(q.size());
    dk.resize(k.size());
    dv.resize(v.size());
    lse.resize(static_cast<std::size_t>(heads * context_length));
    d_roles.resize(static_cast<std::size_t>(kv_heads * context_length * role_count));
    // Shares as a trained model has them: 10 % Global, 10 % Local.
    std::discrete_distribution<int> shares{1, 1, 8};
    for (std::int64_t i = 0; i < kv_heads * context_length; ++i) roles.push_back(static_cast<Role>(shares(random)));
  }

  [[nodiscard]] kernels::View<float, 4> view(std::vector<float>& array, std::int64_t count) const {
    return kernels::View<float, 4>::packed(array.data(), {1, count, context_length, head_dim});
  }
  [[nodiscard]] kernels::AttentionTrainInputs inputs() {
    return {view(q, heads),
            view(k, kv_heads),
            view(v, kv_heads),
            kernels::View<Role, 3>::packed(roles.data(), {1, kv_heads, context_length}),
            window,
            kernels::ElementType::f32};
  }
  kernels::Status forward() {
    return kernels::attention_train_forward(kernels::Backend::cpu, inputs(), view(out, heads),
                                            kernels::View<float, 3>::packed(lse.data(), {1, heads, context_length}));
  }
  kernels::Status backward(bool with_roles) {
    return kernels::attention_train_backward(
        kernels::Backend::cpu, inputs(), view(out, heads),
        kernels::View<float, 3>::packed(lse.data(), {1, heads, context_length}), view(d_out, heads), 0.0,
        view(dq, heads), view(dk, kv_heads), view(dv, kv_heads),
        kernels::View<float, 4>::packed(with_roles ? d_roles.data() : nullptr,
                                        {1, kv_heads, context_length, role_count}));
  }
};

/// The pass with role gradients beside the same kernel without them: under the same mask, whose unseen keys it then
/// leaves out, and under the causal mask, where it can leave out nothing.
Expected<std::vector<Row>> backward_rows(std::int64_t head_dim, const Context& context) {
  BackwardArrays learned(shape_124m.heads, shape_124m.kv_heads, head_dim);
  BackwardArrays causal = learned;
  std::fill(causal.roles.begin(), causal.roles.end(), Role::global);
  const auto timed = [](double& seconds, auto work) -> Expected<void> {
    kernels::Status status;
    seconds = seconds_of([&] { status = work(); });
    if (status.ok()) return {};
    return fail(ErrorCode::internal, std::string("training attention: ") + status.detail);
  };
  double ignored = 0;
  NATSCOPE_CHECK(timed(ignored, [&] { return learned.forward(); }));
  NATSCOPE_CHECK(timed(ignored, [&] { return causal.forward(); }));
  std::vector<double> with_roles, to_masked, to_causal;
  for (int run = 0; run <= pair_runs; ++run) {  // the first turn warms up
    NATSCOPE_CHECK(check(context.stop));
    double masked_s = 0, causal_s = 0, roles_s = 0;
    NATSCOPE_CHECK(timed(masked_s, [&] { return learned.backward(false); }));
    NATSCOPE_CHECK(timed(roles_s, [&] { return learned.backward(true); }));
    NATSCOPE_CHECK(timed(causal_s, [&] { return causal.backward(false); }));
    if (run == 0) continue;
    with_roles.push_back(1e3 * roles_s);
    to_masked.push_back(masked_s / roles_s);
    to_causal.push_back(causal_s / roles_s);
  }
  const Summary time = summarise(with_roles);
  Row row;
  row.name = backward_name(head_dim);
  row.size = "12 heads, head_dim " + std::to_string(head_dim) + ", f32, T = 1024, 10 % Global, 10 % Local";
  row.value = time.median;
  row.unit = "ms";
  row.reference = "the same kernel without role gradients, causal mask";
  row.ratio = summarise(to_causal).median;
  row.runs = pair_runs;
  row.spread = time.spread;
  Row masked = row;
  masked.name += "_masked";
  masked.reference = "the same kernel without role gradients, same mask, unseen keys left out";
  masked.ratio = summarise(to_masked).median;
  return std::vector<Row>{std::move(row), std::move(masked)};
}

}  // namespace

Expected<std::vector<Row>> train_step(const Context& context) {
  std::vector<Row> rows;
  for (const bool nats : {true, false}) {
    if (!context.wants(step_name(nats))) continue;
    NATSCOPE_TRY(auto row, step_row(nats, context));
    rows.push_back(std::move(row));
  }
  return rows;
}

Expected<std::vector<Row>> backward_roles(const Context& context) {
  std::vector<Row> rows;
  for (const std::int64_t head_dim : {64, 128}) {
    const std::string name = backward_name(head_dim);
    if (!context.wants(name) && !context.wants(name + "_masked")) continue;
    NATSCOPE_TRY(const auto both, backward_rows(head_dim, context));
    for (const Row& row : both) {
      if (context.wants(row.name)) rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace natscope::bench
