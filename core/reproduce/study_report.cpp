// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/study_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "core/cache/policy.h"
#include "core/reproduce/answer_columns.h"
#include "core/reproduce/study_folder.h"
#include "core/reproduce/study_plan.h"

namespace natscope::reproduce {
namespace {

using nlohmann::json;

std::map<int, double> full_perplexities(const std::vector<StudyRow>& rows) {
  std::map<int, double> by_seed;
  for (const StudyRow& row : rows) {
    if (row.model == name(TrainedWith::full) && row.policy == "full") by_seed[row.seed] = row.perplexity;
  }
  return by_seed;
}

std::string series_of(const StudyRow& row) {
  if (row.model == name(TrainedWith::nats)) return "NAtS";
  if (row.model == name(TrainedWith::nats_as_paper)) return "NAtS, the paper's charge";
  if (row.model == name(TrainedWith::window)) return "window, trained";
  if (row.model == name(TrainedWith::streaming)) return "sinks + window, trained";
  const std::string family = family_name(row.policy);
  return row.policy == "full" ? family : family + " on full";
}

/// What rows of one group share. A trained mask's window is another one for every seed, an applied one's is not.
std::string group_key(const StudyRow& row) {
  return series_of(row) + "|" + (row.lambda ? json(*row.lambda).dump() : row.policy);
}

/// Mean, and where there are several the least and the greatest.
std::string text_of(const Spread& value, int digits, double scale = 1) {
  std::array<char, 96> text{};
  const auto number = [&](double x) {
    std::snprintf(text.data(), text.size(), "%.*f", digits, scale * x);
    return std::string(text.data());
  };
  if (value.low == value.high) return number(value.mean);
  return number(value.mean) + " (" + number(value.low) + " – " + number(value.high) + ")";
}

void add_answers(std::vector<AnswersAtDistance>& to, const std::vector<AnswersAtDistance>& from) {
  if (to.empty()) to.resize(from.size());
  for (std::size_t i = 0; i < std::min(to.size(), from.size()); ++i) {
    to[i].from = from[i].from;
    to[i].until = from[i].until;
    to[i].answers += from[i].answers;
    to[i].right += from[i].right;
  }
}

}  // namespace

std::vector<StudyGroup> groups_of(const std::vector<StudyRow>& rows) {
  const auto full = full_perplexities(rows);
  std::vector<std::string> keys;
  std::map<std::string, std::vector<const StudyRow*>> members;
  for (const StudyRow& row : rows) {
    if (!full.contains(row.seed)) continue;
    const std::string key = group_key(row);
    if (!members.contains(key)) keys.push_back(key);
    members[key].push_back(&row);
  }
  std::vector<StudyGroup> groups;
  for (const std::string& key : keys) {
    const auto& group_rows = members[key];
    const auto spread = [&](auto value) {
      std::vector<double> values;
      for (const StudyRow* row : group_rows) values.push_back(value(*row));
      return spread_of(values);
    };
    StudyGroup group;
    group.series = series_of(*group_rows.front());
    group.lambda = group_rows.front()->lambda;
    for (const StudyRow* row : group_rows) {
      group.seeds.push_back(row->seed);
      if ((" " + group.policy + " ").find(" " + row->policy + " ") == std::string::npos)
        group.policy += (group.policy.empty() ? "" : " ") + row->policy;
      add_answers(group.answers, row->answers);
    }
    group.kv_fraction = spread([](const StudyRow& r) { return r.kv_fraction; });
    group.paper_kv_fraction = spread([](const StudyRow& r) { return r.paper_kv_fraction; });
    group.perplexity = spread([](const StudyRow& r) { return r.perplexity; });
    group.ratio = spread([&](const StudyRow& r) { return r.perplexity / full.at(r.seed); });
    if (group_rows.front()->accuracy())
      group.accuracy = spread([](const StudyRow& r) { return r.accuracy().value_or(0); });
    groups.push_back(std::move(group));
  }
  return groups;
}

json results_json(const StudyOptions& options, const std::vector<StudyRow>& rows) {
  const auto full = full_perplexities(rows);
  json list = json::array();
  for (const StudyRow& row : rows) {
    json object = row_json(row);
    object["task"] = name(options.task);
    const auto reference = full.find(row.seed);
    object["full_perplexity"] = reference == full.end() ? json(nullptr) : json(reference->second);
    list.push_back(std::move(object));
  }
  return {{"study", published_study(study_json(options))}, {"rows", std::move(list)}};
}

std::string results_table(const std::vector<StudyGroup>& groups) {
  const AnswerColumns answers(groups.empty() ? std::vector<AnswersAtDistance>() : groups.front().answers);
  const bool asked = !answers.empty();
  std::string table = "| model | λ | policy | seeds | KV % | paper's KV % | perplexity | × full |";
  table += (asked ? " right answers % |" : "") + answers.head() + "\n";
  table += "| --- | --- | --- | --- | --- | --- | --- | --- |";
  table += (asked ? " --- |" : "") + answers.rule() + "\n";
  for (const StudyGroup& group : groups) {
    table += "| " + group.series + " | " + (group.lambda ? json(*group.lambda).dump() : "–") + " | " + group.policy +
             " | " + std::to_string(group.seeds.size()) + " | " + text_of(group.kv_fraction, 1, 100) + " | " +
             text_of(group.paper_kv_fraction, 1, 100) + " | " + text_of(group.perplexity, 2) + " | " +
             text_of(group.ratio, 4) + " |";
    if (asked) table += " " + (group.accuracy ? text_of(*group.accuracy, 1, 100) : std::string("–")) + " |";
    table += answers.cells(group.answers) + "\n";
  }
  return table;
}

SeriesChart results_chart(const StudyOptions& options, const std::vector<StudyGroup>& groups) {
  const bool distance = options.task == StudyTask::distance;
  SeriesChart chart;
  chart.title = distance ? "Marks said again at a distance" : "Books, token by token through the cache";
  chart.x_label = "KV fraction at a segment's last token";
  chart.y_label = distance ? "share of right answers" : "perplexity / that of full attention";
  chart.log_x = true;
  // A line goes along λ, the largest first: two that keep the same share would send it to and fro. Without λ from left
  // to right.
  std::vector<StudyGroup> along = groups;
  std::ranges::stable_sort(
      along, {}, [](const StudyGroup& group) { return group.lambda ? -*group.lambda : group.kv_fraction.mean; });
  for (const StudyGroup& first : groups) {
    const auto is_there = [&](const ChartSeries& series) { return series.name == first.series; };
    if (std::ranges::any_of(chart.series, is_there)) continue;
    for (const StudyGroup& group : along) {
      if (group.series != first.series) continue;
      add_point(chart, group.series, !group.series.starts_with("NAtS"),
                {group.kv_fraction, distance ? group.accuracy.value_or(Spread{}) : group.ratio});
    }
  }
  return chart;
}

}  // namespace natscope::reproduce
