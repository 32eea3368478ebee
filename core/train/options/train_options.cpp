// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/options/train_options.h"

#include <nlohmann/json.hpp>

#include "core/cache/cache_dtype.h"
#include "core/jobs/derived_options.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/options/option_fields.h"

namespace natscope::train {

namespace {

/// The batch that the paper's values of λ belong to: 480 segments of 1024 tokens.
constexpr double paper_tokens_per_step = 480.0 * 1024.0;

/// Calls `visit(key, member)` for every option that spec.json holds: written and read by the same list.
template <class Options, class Visit>
void for_each_option(Options& o, Visit visit) {
  for_each_shared_option(o, visit);
  visit("tokenizer", o.tokenizer);
  visit("init", o.init);
  visit("layers", o.layers);
  visit("hidden", o.hidden);
  visit("heads", o.heads);
  visit("kv_heads", o.kv_heads);
  visit("head_dim", o.head_dim);
  visit("intermediate", o.intermediate);
  visit("vocab", o.vocab);
  visit("rope_theta", o.rope_theta);
  visit("full_attention", o.full_attention);
  visit("policy", o.policy);
  visit("micro_batch", o.micro_batch);
  visit("epochs", o.epochs);
  visit("final_learning_rate_ratio", o.final_learning_rate_ratio);
  visit("warmup_steps", o.warmup_steps);
  visit("local_charge", o.local_charge);
  visit("score_init", o.score_init);
  visit("evaluate_segments", o.evaluate_segments);
}

Expected<void> settle_policy(TrainOptions& o) {
  if (!has_roles(o.policy)) {
    const std::string text = to_string(o.policy);
    return fail(ErrorCode::usage,
                "--policy " + text + " is not a mask to train with: what it keeps depends on the weights",
                "train with another policy, and give this one to eval");
  }
  if (o.full_attention && o.policy.kind != Policy::Kind::model && o.policy.kind != Policy::Kind::full) {
    return fail(ErrorCode::usage, "--full-attention and --policy " + to_string(o.policy) + " exclude each other",
                "give one of them");
  }
  if (o.policy.kind == Policy::Kind::full) o.full_attention = true;
  if (o.full_attention) o.policy.kind = Policy::Kind::full;
  return {};
}

}  // namespace

double applied_sparsity(double sparse_regularized_value, std::int64_t tokens) {
  return sparse_regularized_value * paper_tokens_per_step / static_cast<double>(tokens);
}

Expected<TrainOptions> resolve(TrainOptions o) {
  if (o.data.empty()) return fail(ErrorCode::usage, "no training data", "name a folder of text files with --data");
  NATSCOPE_CHECK(settle_policy(o));
  NATSCOPE_CHECK(in_range("--layers", o.layers, 1, 256));
  NATSCOPE_CHECK(in_range("--hidden", o.hidden, 8, 16384));
  NATSCOPE_CHECK(in_range("--heads", o.heads, 1, 1024));
  NATSCOPE_CHECK(in_range("--kv-heads", o.kv_heads, 1, o.heads));
  if (o.heads % o.kv_heads != 0) return fail(ErrorCode::usage, "--kv-heads must divide --heads", "choose a divisor");
  if (o.head_dim == 0) {
    if (o.hidden % o.heads != 0) {
      return fail(ErrorCode::usage, "--heads must divide --hidden", "choose a divisor, or give --head-dim");
    }
    o.head_dim = o.hidden / o.heads;
  }
  NATSCOPE_CHECK(in_range("--head-dim", o.head_dim, 8, 256));
  if (o.head_dim % 2 != 0) return fail(ErrorCode::usage, "--head-dim must be even", "rotation turns pairs of numbers");
  if (o.hidden % 8 != 0)
    return fail(ErrorCode::usage, "--hidden must be a multiple of 8",
                "choose " + std::to_string((o.hidden + 7) / 8 * 8));
  if (o.intermediate == 0) o.intermediate = static_cast<int>(jobs::default_intermediate(o.hidden));
  NATSCOPE_CHECK(in_range("--intermediate", o.intermediate, 1, 65536));
  NATSCOPE_CHECK(in_range("--vocab", o.vocab, 300, 65535));
  NATSCOPE_CHECK(in_range("--context", o.context, 2, 131072));
  NATSCOPE_CHECK(in_range("--window", o.window, 0, 131072));
  NATSCOPE_CHECK(in_range("--rope-theta", o.rope_theta, 1.0, 1e9));
  NATSCOPE_CHECK(settle_shared_options(o));
  if (o.micro_batch == 0) o.micro_batch = o.batch;
  NATSCOPE_CHECK(in_range("--micro-batch", o.micro_batch, 1, o.batch));
  if (o.batch % o.micro_batch != 0) {
    return fail(ErrorCode::usage, "--micro-batch must divide --batch", "choose a divisor");
  }
  NATSCOPE_CHECK(in_range("--steps", static_cast<double>(o.steps), 0, 1e9));
  if (o.steps == 0) NATSCOPE_CHECK(in_range("--epochs", o.epochs, 1e-6, 1e4));
  NATSCOPE_CHECK(in_range("--final-lr-ratio", o.final_learning_rate_ratio, 0, 1));
  NATSCOPE_CHECK(in_range("--score-init", o.score_init, 0, 100));
  NATSCOPE_CHECK(in_range("--warmup", o.warmup_steps, 0, 1e9));
  NATSCOPE_CHECK(in_range("--keep", o.checkpoints_kept, 2, 1000));
  NATSCOPE_CHECK(in_range("--eval-segments", o.evaluate_segments, 1, 1e6));
  return o;
}

ModelConfig model_config(const TrainOptions& o) {
  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  config.family = ModelFamily::llama;
  config.layers = o.layers;
  config.hidden = o.hidden;
  config.heads = o.heads;
  config.kv_heads = o.kv_heads;
  config.head_dim = o.head_dim;
  config.intermediate = o.intermediate;
  config.vocab = o.vocab;
  config.context = o.context;
  config.rms_norm_eps = 1e-5;
  config.rope.theta = o.rope_theta;
  config.tied = true;
  config.bos = 1;
  config.eos = {2};
  config.stored_dtype = dtype_name(o.dtype);
  if (!o.full_attention && o.policy.kind == Policy::Kind::model)
    config.nats = NatsConfig{o.window, o.global_bias, o.sparse_regularized_value};
  return config;
}

ModelConfig model_config(const TrainOptions& options, const Tokenizer& tokenizer) {
  ModelConfig config = model_config(options);
  config.vocab = tokenizer.size();
  config.bos = tokenizer.bos_id();
  config.eos.clear();
  if (const auto eos = tokenizer.eos_id()) config.eos.push_back(*eos);
  return config;
}

nlohmann::json options_json(const TrainOptions& options) {
  nlohmann::json spec{{"kind", "train"}, {"version", 1}};
  for_each_option(options, OptionWriter{spec});
  return spec;
}

Expected<TrainOptions> options_from_json(const nlohmann::json& spec) {
  return read_options<TrainOptions>(
      spec, "train", [](TrainOptions& options, const OptionReader& reader) { for_each_option(options, reader); },
      options_json);
}

}  // namespace natscope::train
