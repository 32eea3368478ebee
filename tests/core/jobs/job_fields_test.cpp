// SPDX-License-Identifier: GPL-3.0-or-later
/// The form's table against the options that a trainer reads: names, defaults and ranges stand in two places for good
/// reason (core/jobs knows no trainer), and here they are held together.
#include "core/jobs/job_fields.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/train/options/finetune_options.h"
#include "core/train/options/train_options.h"

using namespace natscope;
using namespace natscope::jobs;
using nlohmann::json;

namespace {

json usual_spec(JobKind kind) {
  return kind == JobKind::train ? train::options_json(train::TrainOptions())
                                : train::options_json(train::FinetuneOptions());
}

/// Whether a spec with one changed value is taken.
bool accepted(JobKind kind, const char* option, json value) {
  json spec = usual_spec(kind);
  spec["data"] = "text";
  if (kind == JobKind::finetune) spec["model"] = "base";
  if (std::string_view(option) == "epochs") spec["steps"] = 0;
  spec[option] = std::move(value);
  if (kind == JobKind::train) {
    auto options = train::options_from_json(spec);
    return options && train::resolve(*options).has_value();
  }
  auto options = train::finetune_options_from_json(spec);
  return options && train::resolve(*options).has_value();
}

std::string text_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string joined;
  for (const json& item : value) joined += (joined.empty() ? "" : ",") + item.get<std::string>();
  return joined;
}

constexpr std::array kinds{JobKind::train, JobKind::finetune};

}  // namespace

TEST_CASE("every option of a run is a field, and every field an option, with the same default") {
  for (const JobKind kind : kinds) {
    const json spec = usual_spec(kind);
    std::set<std::string> options;
    for (const auto& [key, value] : spec.items()) options.insert(key);
    // Where the model goes is the job's own folder; the device has a line of the form's own, for every kind.
    for (const char* const other : {"kind", "version", "out", "device"}) options.erase(other);
    std::set<std::string> fields;
    for (const JobField& field : job_fields(kind)) {
      CAPTURE(field.option);
      CHECK(fields.insert(field.option).second);
      REQUIRE(spec.contains(field.option));
      const json& value = spec[field.option];
      CHECK(value.is_boolean() == (field.kind == FieldKind::yes_no));
      CHECK(value.is_array() == (field.kind == FieldKind::list));
      if (value.is_number()) CHECK(value.is_number_float() == (field.kind == FieldKind::real));
      CHECK(same_value(field, text_of(value), field.default_text));
      if (!field.is_needed) CHECK(check_field(field, field.default_text));
      if (*field.first_text() != '\0') CHECK(check_field(field, field.first_text()));
      CHECK(std::string_view(field.explanation).ends_with(std::string_view(field.option) == "policy" ? "…" : "."));
    }
    CHECK(fields == options);
  }
}

TEST_CASE("the trainer takes the ends of every range and nothing outside") {
  // Values that depend on others (a divisor of the heads, a multiple of 8) are valid at one end only together with
  // them, and for some 0 stands for a value that is worked out.
  const std::set<std::string> dependent{"heads", "kv_heads", "head_dim", "hidden", "micro_batch"};
  for (const JobKind kind : kinds) {
    for (const JobField& field : job_fields(kind)) {
      if (field.kind != FieldKind::integer && field.kind != FieldKind::real) continue;
      CAPTURE(field.option);
      const auto value = [&](double number) {
        return field.kind == FieldKind::real ? json(number) : json(static_cast<std::int64_t>(number));
      };
      for (const double end : {field.lowest, field.highest}) {
        if (!std::isfinite(end)) continue;
        const double outside =
            end == field.lowest ? end - (field.kind == FieldKind::real ? std::abs(end) + 1e-3 : 1) : 2 * end + 1;
        CAPTURE(end);
        if (!dependent.contains(field.option)) CHECK(accepted(kind, field.option, value(end)));
        CHECK_FALSE(accepted(kind, field.option, value(outside)));
        CHECK_FALSE(check_field(field, value(outside).dump()));
      }
    }
  }
}

TEST_CASE("what is typed is checked while it is typed") {
  const auto field = [](const char* option) { return *find_job_field(JobKind::train, option); };
  CHECK(check_field(field("layers"), "12"));
  for (const char* wrong : {"0", "-1", "1.5", "many", "1e2", "300", " 5", "nan"}) {
    CAPTURE(wrong);
    CHECK_FALSE(check_field(field("layers"), wrong));
  }
  CHECK(check_field(field("learning_rate"), "6e-4"));
  for (const char* wrong : {"inf", "nan", "1e999", "fast", "-1e-3"})
    CHECK_FALSE(check_field(field("learning_rate"), wrong));
  CHECK(check_field(field("dtype"), "float32"));
  CHECK_FALSE(check_field(field("dtype"), "float16"));
  CHECK_FALSE(check_field(field("dtype"), "float"));
  CHECK_FALSE(check_field(field("full_attention"), "yes"));
  CHECK_FALSE(check_field(field("data"), ""));
  CHECK(check_field(field("valid"), ""));
  CHECK(find_job_field(JobKind::train, "nothing") == nullptr);
  const JobField& targets = *find_job_field(JobKind::finetune, "lora_targets");
  CHECK(check_field(targets, "o_proj,q_proj"));
  for (const char* wrong : {"", "q", "q_proj,", "q_proj,q_proj", ",", "q_proj k_proj"}) {
    CAPTURE(wrong);
    CHECK_FALSE(check_field(targets, wrong));
  }
}

TEST_CASE("what is said of a bad value is what must be, and not what seems to be") {
  for (const JobKind kind : kinds) {
    for (const JobField& field : job_fields(kind)) {
      CAPTURE(field.option);
      for (const char* const wrong : {"", "odd", "-1e9", "1e30", "?"}) {
        const auto checked = check_field(field, wrong);
        if (!checked) CHECK(checked.error().message.starts_with(std::string(field.label) + " must be "));
      }
    }
  }
  CHECK(check_field(*find_job_field(JobKind::train, "layers"), "1.5").error().message ==
        "Layers must be a whole number, not “1.5”");
  CHECK(check_field(*find_job_field(JobKind::train, "layers"), "300").error().message ==
        "Layers must be from 1 to 256");
}

TEST_CASE("a form's command names what differs from the defaults") {
  using Words = std::vector<std::string>;
  const std::vector<JobOption> options{
      {"data", "/my books"},     {"layers", "12"},  {"context", "1024"},        {"steps", "500"}, {"epochs", "2"},
      {"learning_rate", "1e-3"}, {"head_dim", "0"}, {"full_attention", "true"}, {"seed", ""}};
  CHECK(job_flags(JobKind::train, options) ==
        Words{"--data", "/my books", "--layers", "12", "--full-attention", "--steps", "500"});
  CHECK(job_flags(JobKind::train, std::array{JobOption{"full_attention", "false"}}).empty());
  CHECK(job_flags(JobKind::train, std::array{JobOption{"global_bias", "-1"}}) == Words{"--global-bias=-1"});
  CHECK(job_flags(JobKind::finetune,
                  std::array{JobOption{"trained", "lora"}, JobOption{"lora_targets", "k_proj,q_proj"},
                             JobOption{"sparse_regularized_value", "3e-7"}}) == Words{"--train", "lora"});
  CHECK(job_flags(JobKind::finetune, std::array{JobOption{"lora_targets", "q_proj,o_proj"}}) ==
        Words{"--lora", "q_proj,o_proj"});
}
