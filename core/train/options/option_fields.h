// SPDX-License-Identifier: GPL-3.0-or-later
/// Options of a training command as fields of spec.json: each command lists its members once, for writing and reading.
/// What TrainOptions and FinetuneOptions have alike is listed and checked here. Private to core/train.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/expected.h"
#include "core/cache/policy.h"
#include "core/train/options/train_options.h"

namespace natscope::train {

/// Errors: usage, naming the flag and its range.
inline Expected<void> in_range(const char* flag, double value, double low, double high) {
  if (std::isfinite(value) && value >= low && value <= high) return {};
  // A whole number has no point; nothing of either kind has so many digits that another one would be meant.
  const auto text = [](double number) {
    std::array<char, 40> digits{};
    std::snprintf(digits.data(), digits.size(), "%.15g", number);
    return std::string(digits.data());
  };
  return fail(ErrorCode::usage, std::string(flag) + " " + text(value) + " is out of range",
              "give a value from " + text(low) + " to " + text(high));
}

/// What the values of an enumeration are called in spec.json and on the command line, in their order.
template <class T>
inline constexpr std::array<const char*, 0> option_names{};
template <>
inline constexpr std::array<const char*, 2> option_names<kernels::ElementType>{"float32", "bfloat16"};
template <>
inline constexpr std::array<const char*, 2> option_names<LocalCharge>{"sampled", "argmax"};
template <>
inline constexpr std::array<const char*, 3> option_names<Device> = device_names;
template <class T>
concept NamedOption = !option_names<T>.empty();

/// Writes options into spec.json.
struct OptionWriter {
  nlohmann::json& spec;
  void operator()(const char* key, const std::filesystem::path& value) const { spec[key] = value.string(); }
  template <NamedOption T>
  void operator()(const char* key, const T& value) const {
    spec[key] = option_names<T>[static_cast<std::size_t>(value)];
  }
  void operator()(const char* key, const Policy& value) const { spec[key] = to_string(value); }
  template <class T>
  void operator()(const char* key, const T& value) const {
    spec[key] = value;
  }
};

/// Reads them back; `wrong` becomes the key of a value that cannot be.
struct OptionReader {
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
  template <NamedOption T>
  void operator()(const char* key, T& value) const {
    const auto* stored = value_of(key);
    if (stored == nullptr) return;
    const auto& names = option_names<T>;
    const auto found = std::find_if(names.begin(), names.end(), [stored](const char* name) { return *stored == name; });
    if (found != names.end())
      value = static_cast<T>(found - names.begin());
    else
      wrong = key;
  }
  void operator()(const char* key, Policy& value) const {
    const auto* stored = value_of(key);
    if (stored == nullptr) return;
    auto parsed = stored->is_string() ? parse_policy(stored->get<std::string>()) : Expected<Policy>(Policy{});
    if (stored->is_string() && parsed)
      value = std::move(*parsed);
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

/// Calls `visit(key, member)` for the options that every training command has.
template <class Options, class Visit>
void for_each_shared_option(Options& o, const Visit& visit) {
  visit("data", o.data);
  visit("valid", o.valid);
  visit("out", o.out);
  visit("context", o.context);
  visit("window", o.window);
  visit("global_bias", o.global_bias);
  visit("sparse_regularized_value", o.sparse_regularized_value);
  visit("steps", o.steps);
  visit("batch", o.batch);
  visit("learning_rate", o.learning_rate);
  visit("beta1", o.beta1);
  visit("beta2", o.beta2);
  visit("weight_decay", o.weight_decay);
  visit("clip", o.clip);
  visit("seed", o.seed);
  visit("dtype", o.dtype);
  visit("device", o.device);
  visit("threads", o.threads);
  visit("ranks", o.ranks);
  visit("checkpoint_every", o.checkpoint_every);
  visit("checkpoints_kept", o.checkpoints_kept);
  visit("evaluate_every", o.evaluate_every);
}

/// Checks those of them that have the same range everywhere, and fills in threads. Errors: usage, naming the flag.
template <class Options>
[[nodiscard]] Expected<void> settle_shared_options(Options& o) {
  NATSCOPE_CHECK(in_range("--global-bias", o.global_bias, -100, 100));
  NATSCOPE_CHECK(in_range("--lambda", o.sparse_regularized_value, 0, 1));
  NATSCOPE_CHECK(in_range("--batch", o.batch, 1, 65536));
  NATSCOPE_CHECK(in_range("--lr", o.learning_rate, 0, 10));
  NATSCOPE_CHECK(in_range("--beta1", o.beta1, 0, 0.99999));
  NATSCOPE_CHECK(in_range("--beta2", o.beta2, 0, 0.9999999));
  NATSCOPE_CHECK(in_range("--weight-decay", o.weight_decay, 0, 10));
  NATSCOPE_CHECK(in_range("--clip", o.clip, 1e-9, 1e9));
  NATSCOPE_CHECK(in_range("--ranks", o.ranks, 1, 4096));
  NATSCOPE_CHECK(in_range("--threads", o.threads, 0, 1024));
  if (o.threads == 0) o.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  NATSCOPE_CHECK(in_range("--checkpoint-every", static_cast<double>(o.checkpoint_every), 1, 1e9));
  NATSCOPE_CHECK(in_range("--eval-every", static_cast<double>(o.evaluate_every), 0, 1e9));
  return {};
}

/// The options in a spec of `kind`. `visit(options, reader)` lists the members; `write` makes the spec of options.
/// Errors: bad_job, naming the key. Unknown keys are refused: they could change the run.
template <class Options, class Visit, class Write>
[[nodiscard]] Expected<Options> read_options(const nlohmann::json& spec, const char* kind, Visit visit, Write write) {
  const std::string next = "start a new run, or repair spec.json";
  if (!spec.is_object() || spec.value("kind", nlohmann::json()) != kind ||
      spec.value("version", nlohmann::json()) != 1) {
    return fail(ErrorCode::bad_job, "spec.json does not describe a run of this kind and version", next);
  }
  Options options;
  std::string wrong;
  visit(options, OptionReader{spec, wrong});
  if (!wrong.empty()) return fail(ErrorCode::bad_job, "spec.json: " + wrong + " has an impossible value", next);
  const nlohmann::json known = write(options);
  for (const auto& [key, value] : spec.items()) {
    if (!known.contains(key)) return fail(ErrorCode::bad_job, "spec.json: unknown key " + printable(key), next);
  }
  return options;
}

}  // namespace natscope::train
