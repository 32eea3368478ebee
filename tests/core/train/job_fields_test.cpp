// SPDX-License-Identifier: GPL-3.0-or-later
/// The form's table against the options that a trainer reads: names, defaults and ranges stand in two places for good
/// reason (core/jobs knows no trainer), and here they are held together.
#include "core/jobs/job_fields.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/train/train_options.h"

using namespace natscope;
using namespace natscope::jobs;
using natscope::train::TrainOptions;
using nlohmann::json;

namespace {

json usual_spec() { return train::options_json(TrainOptions()); }

/// Whether a spec with one changed value is taken.
bool accepted(const char* option, json value) {
  json spec = usual_spec();
  spec["data"] = "text";
  if (std::string_view(option) == "epochs") spec["steps"] = 0;
  spec[option] = std::move(value);
  auto options = train::options_from_json(spec);
  return options && train::resolve(*options).has_value();
}

}  // namespace

TEST_CASE("every option of a training run is a field, and every field an option, with the same default") {
  const json spec = usual_spec();
  std::set<std::string> options;
  for (const auto& [key, value] : spec.items()) options.insert(key);
  options.erase("kind");
  options.erase("version");
  std::set<std::string> fields;
  for (const JobField& field : job_fields(JobKind::train)) {
    CAPTURE(field.option);
    CHECK(fields.insert(field.option).second);
    REQUIRE(spec.contains(field.option));
    const json& value = spec[field.option];
    const std::string text = field.default_text;
    CHECK(value.is_boolean() == (field.kind == FieldKind::yes_no));
    if (value.is_string() || value.is_boolean()) {
      CHECK((value.is_string() ? value.get<std::string>() : value.dump()) == text);
    } else {
      CHECK(value.get<double>() == (text.empty() ? 0.0 : std::stod(text)));
      CHECK(value.is_number_float() == (field.kind == FieldKind::real));
    }
    CHECK(check_field(field, text));
    CHECK(std::string(field.explanation).ends_with('.'));
  }
  CHECK(fields == options);
}

TEST_CASE("the trainer takes the ends of every range and nothing outside") {
  for (const JobField& field : job_fields(JobKind::train)) {
    if (field.kind != FieldKind::integer && field.kind != FieldKind::real) continue;
    CAPTURE(field.option);
    // Values that depend on others (a divisor of the heads, a multiple of 8) are valid at one end only together with them.
    const std::set<std::string> dependent{"heads", "kv_heads", "head_dim", "hidden", "micro_batch"};
    const auto value = [&](double number) {
      return field.kind == FieldKind::real ? json(number) : json(static_cast<std::int64_t>(number));
    };
    for (const double end : {field.lowest, field.highest}) {
      if (!std::isfinite(end)) continue;
      const double outside =
          end == field.lowest ? end - (field.kind == FieldKind::real ? std::abs(end) + 1e-3 : 1) : 2 * end + 1;
      CAPTURE(end);
      if (!dependent.contains(field.option)) CHECK(accepted(field.option, value(end)));
      CHECK_FALSE(accepted(field.option, value(outside)));
      CHECK_FALSE(check_field(field, json(value(outside)).dump()));
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
  CHECK(find_job_field(JobKind::train, "nothing") == nullptr);
}

TEST_CASE("a form's command names what differs from the defaults") {
  const std::vector<JobOption> options{
      {"data", "/my books"},     {"layers", "12"},  {"context", "1024"},        {"steps", "500"}, {"epochs", "2"},
      {"learning_rate", "1e-3"}, {"head_dim", "0"}, {"full_attention", "true"}, {"seed", ""}};
  CHECK(job_flags(JobKind::train, options) ==
        std::vector<std::string>{"--data", "/my books", "--layers", "12", "--full-attention", "--steps", "500"});
  CHECK(job_flags(JobKind::train, std::array{JobOption{"full_attention", "false"}}).empty());
}
