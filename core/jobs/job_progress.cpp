// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_progress.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/jobs/json_fields.h"
#include "core/json/json_limits.h"

namespace natscope::jobs {

namespace {

using nlohmann::json;

constexpr JsonLimits line_limits{std::size_t{4} << 20, 8, std::size_t{1} << 18};

RoleShares shares_of(const json& value, const char* key, std::string& wrong) {
  JsonFields fields(value, wrong);
  if (!value.is_object()) {
    fields.refuse(key);
    return {};
  }
  const auto share = [&fields](const char* name) {
    const double number = fields.number(name);
    if (!(number >= 0.0 && number <= 1.0 + 1e-9)) fields.refuse(name);
    return number;
  };
  return {share("global"), share("local"), share("sliding"), share("kv_fraction")};
}

std::optional<RoleShares> optional_shares(const JsonFields& fields, const char* key, std::string& wrong) {
  const json* const value = fields.find(key);
  if (value == nullptr) return std::nullopt;
  return shares_of(*value, key, wrong);
}

StepPoint step_point(JsonFields& fields, std::string& wrong) {
  StepPoint point;
  point.step = fields.count("step");
  point.loss = fields.number("loss");
  point.learning_rate = fields.optional_number("learning_rate");
  point.gradient_norm = fields.optional_number("gradient_norm");
  point.tokens_per_s = fields.optional_number("tokens_per_s");
  point.eta_s = fields.optional_number("eta_s");
  point.sampled = optional_shares(fields, "sampled", wrong);
  point.argmax = optional_shares(fields, "argmax", wrong);
  return point;
}

EvaluationPoint evaluation_point(std::int64_t step, const json& object, std::string& wrong) {
  JsonFields fields(object, wrong);
  EvaluationPoint point;
  point.step = step;
  point.tokens = fields.count("tokens");
  point.nll = fields.number("nll");
  point.perplexity = fields.optional_number("perplexity").value_or(std::exp(point.nll));
  point.bits_per_byte = fields.optional_number("bits_per_byte");
  point.distance = fields.optional_number("distance");
  point.full_nll = fields.optional_number("full_nll");
  point.roles = optional_shares(fields, "roles", wrong);
  const json* layers = fields.find("heads");
  if (layers == nullptr) return point;
  if (!layers->is_array()) fields.refuse("heads");
  for (const json& layer : *layers) {
    if (!layer.is_array() || layer.empty()) {
      fields.refuse("heads");
      break;
    }
    auto& heads = point.heads.emplace_back();
    for (const json& head : layer) heads.push_back(shares_of(head, "heads", wrong));
  }
  return point;
}

json or_null(const std::optional<double>& number) { return number ? json(*number) : json(); }

json line_of(const StepPoint& point) {
  return {{"step", point.step},
          {"loss", point.loss},
          {"learning_rate", or_null(point.learning_rate)},
          {"gradient_norm", or_null(point.gradient_norm)},
          {"tokens_per_s", or_null(point.tokens_per_s)},
          {"eta_s", or_null(point.eta_s)},
          {"sampled", shares_json(point.sampled)},
          {"argmax", shares_json(point.argmax)}};
}

json line_of(const EvaluationPoint& point) {
  json layers = json::array();
  for (const std::vector<RoleShares>& heads : point.heads) {
    json& layer = layers.emplace_back(json::array());
    for (const RoleShares& head : heads) layer.push_back(shares_json(head));
  }
  return {{"step", point.step},
          {"evaluation",
           {{"tokens", point.tokens},
            {"nll", point.nll},
            {"perplexity", point.perplexity},
            {"bits_per_byte", or_null(point.bits_per_byte)},
            {"distance", or_null(point.distance)},
            {"full_nll", or_null(point.full_nll)},
            {"roles", shares_json(point.roles)},
            {"heads", point.heads.empty() ? json() : layers}}}};
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

json shares_json(const std::optional<RoleShares>& shares) {
  if (!shares) return nullptr;
  return {{"global", shares->global},
          {"local", shares->local},
          {"sliding", shares->sliding},
          {"kv_fraction", shares->kv_fraction}};
}

json progress_json(const JobPoint& point) {
  return std::visit([](const auto& value) { return line_of(value); }, point);
}

std::int64_t step_of(const JobPoint& point) {
  return std::visit([](const auto& value) { return value.step; }, point);
}

Expected<JobPoint> parse_progress_line(std::string_view line) {
  auto parsed = parse_json(line, line_limits, "progress.jsonl");
  if (!parsed) return fail(ErrorCode::bad_job, parsed.error().message);
  if (!parsed->is_object()) return fail(ErrorCode::bad_job, "progress.jsonl: a line is no JSON object");
  std::string wrong;
  JsonFields fields(*parsed, wrong);
  JobPoint point;
  if (const json* evaluation = fields.find("evaluation")) {
    if (!evaluation->is_object()) return fail(ErrorCode::bad_job, "progress.jsonl: evaluation is no JSON object");
    point = evaluation_point(fields.count("step"), *evaluation, wrong);
  } else {
    point = step_point(fields, wrong);
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
