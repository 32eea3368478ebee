// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_progress.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/json/json_limits.h"

namespace natscope::jobs {

namespace {

using nlohmann::json;

constexpr JsonLimits line_limits{std::size_t{4} << 20, 8, std::size_t{1} << 18};

/// Reads keys of one object; the first one that does not fit is remembered and the rest goes on.
class Keys {
 public:
  Keys(const json& object, std::string& wrong) : object_(object), wrong_(wrong) {}

  std::int64_t count(const char* key) {
    const json* value = find(key);
    if (value != nullptr && value->is_number_integer() && *value >= 0 && *value <= std::int64_t{1} << 53) {
      return value->get<std::int64_t>();
    }
    refuse(key);
    return 0;
  }

  std::optional<double> optional_number(const char* key) {
    const json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) return value->get<double>();
    refuse(key);
    return std::nullopt;
  }

  double number(const char* key) {
    const auto value = optional_number(key);
    if (!value) refuse(key);
    return value.value_or(0.0);
  }

  std::optional<RoleShares> shares(const char* key) {
    const json* value = find(key);
    if (value == nullptr) return std::nullopt;
    return shares_of(*value, key);
  }

  RoleShares shares_of(const json& value, const char* key) {
    RoleShares shares;
    if (!value.is_object()) {
      refuse(key);
      return shares;
    }
    Keys keys(value, wrong_);
    shares = {keys.share("global"), keys.share("local"), keys.share("sliding"), keys.share("kv_fraction")};
    return shares;
  }

  void refuse(const char* key) {
    if (wrong_.empty()) wrong_ = key;
  }

  /// Nothing where the key is absent or null.
  const json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

 private:
  double share(const char* key) {
    const double value = number(key);
    if (!(value >= 0.0 && value <= 1.0 + 1e-9)) refuse(key);
    return value;
  }

  const json& object_;
  std::string& wrong_;
};

StepPoint step_point(Keys& keys) {
  StepPoint point;
  point.step = keys.count("step");
  point.loss = keys.number("loss");
  point.learning_rate = keys.optional_number("learning_rate");
  point.gradient_norm = keys.optional_number("gradient_norm");
  point.tokens_per_s = keys.optional_number("tokens_per_s");
  point.eta_s = keys.optional_number("eta_s");
  point.sampled = keys.shares("sampled");
  point.argmax = keys.shares("argmax");
  return point;
}

EvaluationPoint evaluation_point(std::int64_t step, const json& object, std::string& wrong) {
  Keys keys(object, wrong);
  EvaluationPoint point;
  point.step = step;
  point.tokens = keys.count("tokens");
  point.nll = keys.number("nll");
  point.perplexity = keys.optional_number("perplexity").value_or(std::exp(point.nll));
  point.bits_per_byte = keys.optional_number("bits_per_byte");
  point.roles = keys.shares("roles");
  const json* layers = keys.find("heads");
  if (layers == nullptr) return point;
  if (!layers->is_array()) keys.refuse("heads");
  for (const json& layer : *layers) {
    if (!layer.is_array() || layer.empty()) {
      keys.refuse("heads");
      break;
    }
    auto& heads = point.heads.emplace_back();
    for (const json& head : layer) heads.push_back(keys.shares_of(head, "heads"));
  }
  return point;
}

}  // namespace

RoleShares EvaluationPoint::layer(std::size_t layer) const {
  RoleShares mean;
  const auto& all = heads[layer];
  for (const RoleShares& head : all) {
    mean.global += head.global;
    mean.local += head.local;
    mean.sliding += head.sliding;
    mean.kv_fraction += head.kv_fraction;
  }
  const auto count = static_cast<double>(all.size());
  return {mean.global / count, mean.local / count, mean.sliding / count, mean.kv_fraction / count};
}

std::int64_t step_of(const JobPoint& point) {
  return std::visit([](const auto& value) { return value.step; }, point);
}

Expected<JobPoint> parse_progress_line(std::string_view line) {
  auto parsed = parse_json(line, line_limits, "progress.jsonl");
  if (!parsed) return fail(ErrorCode::bad_job, parsed.error().message);
  if (!parsed->is_object()) return fail(ErrorCode::bad_job, "progress.jsonl: a line is no JSON object");
  std::string wrong;
  Keys keys(*parsed, wrong);
  JobPoint point;
  if (const json* evaluation = keys.find("evaluation")) {
    if (!evaluation->is_object()) return fail(ErrorCode::bad_job, "progress.jsonl: evaluation is no JSON object");
    point = evaluation_point(keys.count("step"), *evaluation, wrong);
  } else {
    point = step_point(keys);
  }
  if (!wrong.empty()) {
    return fail(ErrorCode::bad_job, "progress.jsonl: " + wrong + " is missing or has an impossible value");
  }
  return point;
}

Expected<NewPoints> ProgressFollower::poll() {
  NATSCOPE_TRY(const NewLines news, file_.poll());
  NewPoints result;
  result.restarted = news.restarted;
  result.more = news.more;
  if (news.restarted) line_ = 0;
  const auto note = [&](const std::string& what) {
    if (result.bad_lines++ == 0) result.problem = what;
  };
  for (const std::string& line : news.lines) {
    ++line_;
    auto point = parse_progress_line(line);
    if (point) {
      result.points.push_back(std::move(*point));
    } else {
      note("line " + std::to_string(line_) + ": " + point.error().message);
    }
  }
  if (news.oversized > 0) note("a line is longer than any that a trainer writes");
  result.bad_lines += static_cast<std::int64_t>(news.oversized) - (news.oversized > 0 ? 1 : 0);
  return result;
}

}  // namespace natscope::jobs
