// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/train_options.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/io/tokenizer.h"

namespace natscope::train {

namespace {

/// The batch that the paper's values of λ belong to: 480 segments of 1024 tokens.
constexpr double paper_tokens_per_step = 480.0 * 1024.0;

Expected<void> in_range(const char* flag, double value, double low, double high) {
  if (std::isfinite(value) && value >= low && value <= high) return {};
  return fail(ErrorCode::usage, std::string(flag) + " is out of range",
              "give a value from " + nlohmann::json(low).dump() + " to " + nlohmann::json(high).dump());
}

/// Calls `visit(key, member)` for every option that spec.json holds: written and read by the same list.
template <class Options, class Visit>
void for_each_option(Options& o, Visit visit) {
  visit("data", o.data);
  visit("valid", o.valid);
  visit("tokenizer", o.tokenizer);
  visit("out", o.out);
  visit("layers", o.layers);
  visit("hidden", o.hidden);
  visit("heads", o.heads);
  visit("kv_heads", o.kv_heads);
  visit("head_dim", o.head_dim);
  visit("intermediate", o.intermediate);
  visit("vocab", o.vocab);
  visit("context", o.context);
  visit("window", o.window);
  visit("rope_theta", o.rope_theta);
  visit("full_attention", o.full_attention);
  visit("global_bias", o.global_bias);
  visit("batch", o.batch);
  visit("micro_batch", o.micro_batch);
  visit("steps", o.steps);
  visit("epochs", o.epochs);
  visit("learning_rate", o.learning_rate);
  visit("final_learning_rate_ratio", o.final_learning_rate_ratio);
  visit("warmup_steps", o.warmup_steps);
  visit("beta1", o.beta1);
  visit("beta2", o.beta2);
  visit("weight_decay", o.weight_decay);
  visit("clip", o.clip);
  visit("sparse_regularized_value", o.sparse_regularized_value);
  visit("seed", o.seed);
  visit("dtype", o.dtype);
  visit("threads", o.threads);
  visit("checkpoint_every", o.checkpoint_every);
  visit("checkpoints_kept", o.checkpoints_kept);
  visit("evaluate_every", o.evaluate_every);
  visit("evaluate_segments", o.evaluate_segments);
}

struct Writer {
  nlohmann::json& spec;
  void operator()(const char* key, const std::filesystem::path& value) const { spec[key] = value.string(); }
  void operator()(const char* key, ComputeDType value) const {
    spec[key] = value == ComputeDType::bfloat16 ? "bfloat16" : "float32";
  }
  template <class T>
  void operator()(const char* key, const T& value) const {
    spec[key] = value;
  }
};

struct Reader {
  const nlohmann::json& spec;
  std::string& wrong;

  const nlohmann::json* value_of(const char* key) const {
    const auto found = spec.find(key);
    return found == spec.end() ? nullptr : &*found;
  }
  void operator()(const char* key, std::filesystem::path& value) const {
    const auto* stored = value_of(key);
    if (stored == nullptr) return;
    if (stored->is_string())
      value = stored->get<std::string>();
    else
      wrong = key;
  }
  void operator()(const char* key, ComputeDType& value) const {
    const auto* stored = value_of(key);
    if (stored == nullptr) return;
    if (*stored == "bfloat16")
      value = ComputeDType::bfloat16;
    else if (*stored == "float32")
      value = ComputeDType::float32;
    else
      wrong = key;
  }
  void operator()(const char* key, bool& value) const {
    const auto* stored = value_of(key);
    if (stored == nullptr) return;
    if (stored->is_boolean())
      value = stored->get<bool>();
    else
      wrong = key;
  }
  void operator()(const char* key, double& value) const {
    const auto* stored = value_of(key);
    if (stored == nullptr) return;
    if (stored->is_number())
      value = stored->get<double>();
    else
      wrong = key;
  }
  template <class Integer>
  void operator()(const char* key, Integer& value) const {
    const auto* stored = value_of(key);
    if (stored == nullptr) return;
    // Through the widest type, so that a number that does not fit is seen instead of cut.
    if (stored->is_number_unsigned() && std::in_range<Integer>(stored->get<std::uint64_t>())) {
      value = static_cast<Integer>(stored->get<std::uint64_t>());
    } else if (stored->is_number_integer() && !stored->is_number_unsigned() &&
               std::in_range<Integer>(stored->get<std::int64_t>())) {
      value = static_cast<Integer>(stored->get<std::int64_t>());
    } else {
      wrong = key;
    }
  }
};

}  // namespace

double applied_sparsity(double sparse_regularized_value, std::int64_t tokens) {
  return sparse_regularized_value * paper_tokens_per_step / static_cast<double>(tokens);
}

Expected<TrainOptions> resolve(TrainOptions o) {
  if (o.data.empty()) return fail(ErrorCode::usage, "no training data", "name a folder of text files with --data");
  NATSCOPE_CHECK(in_range("--layers", o.layers, 1, 256));
  NATSCOPE_CHECK(in_range("--hidden", o.hidden, 8, 16384));
  NATSCOPE_CHECK(in_range("--heads", o.heads, 1, 1024));
  NATSCOPE_CHECK(in_range("--kv-heads", o.kv_heads, 1, o.heads));
  if (o.heads % o.kv_heads != 0)
    return fail(ErrorCode::usage, "--kv-heads does not divide --heads", "choose a divisor");
  if (o.head_dim == 0) {
    if (o.hidden % o.heads != 0) {
      return fail(ErrorCode::usage, "--heads does not divide --hidden", "choose a divisor, or give --head-dim");
    }
    o.head_dim = o.hidden / o.heads;
  }
  NATSCOPE_CHECK(in_range("--head-dim", o.head_dim, 8, 256));
  if (o.head_dim % 2 != 0) return fail(ErrorCode::usage, "--head-dim is odd", "rotation needs an even number");
  if (o.hidden % 8 != 0) return fail(ErrorCode::usage, "--hidden is no multiple of 8", "choose a multiple of 8");
  if (o.intermediate == 0) o.intermediate = (o.hidden * 8 / 3 + 63) / 64 * 64;
  NATSCOPE_CHECK(in_range("--intermediate", o.intermediate, 1, 65536));
  NATSCOPE_CHECK(in_range("--vocab", o.vocab, 300, 65535));
  NATSCOPE_CHECK(in_range("--context", o.context, 2, 131072));
  NATSCOPE_CHECK(in_range("--window", o.window, 0, 131072));
  NATSCOPE_CHECK(in_range("--rope-theta", o.rope_theta, 1.0, 1e9));
  NATSCOPE_CHECK(in_range("--global-bias", o.global_bias, -100, 100));
  NATSCOPE_CHECK(in_range("--batch", o.batch, 1, 65536));
  if (o.micro_batch == 0) o.micro_batch = o.batch;
  NATSCOPE_CHECK(in_range("--micro-batch", o.micro_batch, 1, o.batch));
  if (o.batch % o.micro_batch != 0) {
    return fail(ErrorCode::usage, "--micro-batch does not divide --batch", "choose a divisor");
  }
  NATSCOPE_CHECK(in_range("--steps", static_cast<double>(o.steps), 0, 1e9));
  if (o.steps == 0) NATSCOPE_CHECK(in_range("--epochs", o.epochs, 1e-6, 1e4));
  NATSCOPE_CHECK(in_range("--lr", o.learning_rate, 0, 10));
  NATSCOPE_CHECK(in_range("--final-lr-ratio", o.final_learning_rate_ratio, 0, 1));
  NATSCOPE_CHECK(in_range("--warmup", o.warmup_steps, 0, 1e9));
  NATSCOPE_CHECK(in_range("--beta1", o.beta1, 0, 0.99999));
  NATSCOPE_CHECK(in_range("--beta2", o.beta2, 0, 0.9999999));
  NATSCOPE_CHECK(in_range("--weight-decay", o.weight_decay, 0, 10));
  NATSCOPE_CHECK(in_range("--clip", o.clip, 1e-9, 1e9));
  NATSCOPE_CHECK(in_range("--lambda", o.sparse_regularized_value, 0, 1));
  NATSCOPE_CHECK(in_range("--threads", o.threads, 0, 1024));
  if (o.threads == 0) o.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  NATSCOPE_CHECK(in_range("--checkpoint-every", static_cast<double>(o.checkpoint_every), 1, 1e9));
  NATSCOPE_CHECK(in_range("--keep", o.checkpoints_kept, 2, 1000));
  NATSCOPE_CHECK(in_range("--eval-every", static_cast<double>(o.evaluate_every), 0, 1e9));
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
  config.stored_dtype = o.dtype == ComputeDType::bfloat16 ? "bfloat16" : "float32";
  if (!o.full_attention) config.nats = NatsConfig{o.window, o.global_bias, o.sparse_regularized_value};
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
  for_each_option(options, Writer{spec});
  return spec;
}

Expected<TrainOptions> options_from_json(const nlohmann::json& spec) {
  const std::string next = "start a new run, or repair spec.json";
  if (!spec.is_object() || spec.value("kind", nlohmann::json()) != "train" ||
      spec.value("version", nlohmann::json()) != 1) {
    return fail(ErrorCode::bad_job, "spec.json does not describe a training run of this version", next);
  }
  TrainOptions options;
  std::string wrong;
  for_each_option(options, Reader{spec, wrong});
  if (!wrong.empty()) return fail(ErrorCode::bad_job, "spec.json: " + wrong + " has an impossible value", next);
  const nlohmann::json known = options_json(options);
  for (const auto& [key, value] : spec.items()) {
    if (!known.contains(key)) return fail(ErrorCode::bad_job, "spec.json: unknown key " + printable(key), next);
  }
  return options;
}

}  // namespace natscope::train
