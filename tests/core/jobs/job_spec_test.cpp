// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/job_spec.h"

#include <doctest/doctest.h>

#include <array>
#include <nlohmann/json.hpp>

using namespace natscope;
using namespace natscope::jobs;
using nlohmann::json;

namespace {

json some_spec() {
  return {{"kind", "finetune"},
          {"version", 1},
          {"steps", 100},
          {"learning_rate", 0.002},
          {"full_attention", false},
          {"data", "/text"},
          {"seed", 1ULL << 63},
          {"offset", -3},
          {"lora", json::array({"q", "k"})},
          {"adapter", nullptr}};
}

}  // namespace

TEST_CASE("options are named text") {
  const auto spec = job_spec_from_json(some_spec());
  REQUIRE(spec);
  CHECK(spec->kind == JobKind::finetune);
  CHECK(spec->text("steps") == "100");
  CHECK(spec->text("learning_rate") == "0.002");
  CHECK(spec->text("lora") == "q,k");
  CHECK(spec->text("adapter").empty());
  CHECK(spec->text("kind").empty());
}

TEST_CASE("a changed option keeps its type") {
  const std::vector<JobOption> changes{{"steps", "250"},
                                       {"learning_rate", "1e-4"},
                                       {"full_attention", "true"},
                                       {"data", "/a=b"},
                                       {"seed", "7"},
                                       {"offset", "-4"},
                                       {"lora", "v"}};
  const auto spec = with_changes(some_spec(), changes);
  REQUIRE(spec);
  CHECK((*spec)["steps"] == 250);
  CHECK((*spec)["learning_rate"] == 1e-4);
  CHECK((*spec)["full_attention"] == true);
  CHECK((*spec)["data"] == "/a=b");
  CHECK((*spec)["offset"] == -4);
  CHECK((*spec)["lora"] == json::array({"v"}));
}

TEST_CASE("what came of an option that is changed follows it, what was chosen stays") {
  const json spec{{"hidden", 256}, {"heads", 8},       {"head_dim", 32},         {"intermediate", 704},
                  {"batch", 8},    {"micro_batch", 8}, {"full_attention", true}, {"policy", "full"}};
  const auto changed = [&](const json& before, const std::vector<JobOption>& changes) {
    const auto result = with_changes(before, changes);
    REQUIRE(result);
    return *result;
  };
  // 0: as the trainer would make it of the others.
  CHECK(changed(spec, {{"hidden", "512"}})["head_dim"] == 0);
  CHECK(changed(spec, {{"hidden", "512"}})["intermediate"] == 0);
  CHECK(changed(spec, {{"heads", "4"}})["head_dim"] == 0);
  CHECK(changed(spec, {{"heads", "4"}})["intermediate"] == 704);
  CHECK(changed(spec, {{"hidden", "512"}, {"head_dim", "64"}})["head_dim"] == 64);
  CHECK(changed(spec, {{"batch", "4"}})["micro_batch"] == 0);
  CHECK(changed(spec, {{"full_attention", "false"}})["policy"] == "model");
  CHECK(changed(spec, {{"policy", "window:8"}})["full_attention"] == false);
  CHECK(changed(spec, {{"policy", "full"}})["full_attention"] == true);
  json chosen = spec;
  chosen["head_dim"] = 64;
  chosen["intermediate"] = 100;
  chosen["micro_batch"] = 2;
  CHECK(changed(chosen, {{"hidden", "512"}, {"batch", "4"}})["head_dim"] == 64);
  CHECK(changed(chosen, {{"hidden", "512"}, {"batch", "4"}})["intermediate"] == 100);
  CHECK(changed(chosen, {{"hidden", "512"}, {"batch", "4"}})["micro_batch"] == 2);
}

TEST_CASE("changes that do not fit are refused by name") {
  for (const auto& [option, text] : std::vector<std::pair<std::string, std::string>>{{"nothing", "1"},
                                                                                     {"kind", "train"},
                                                                                     {"version", "2"},
                                                                                     {"steps", "many"},
                                                                                     {"steps", ""},
                                                                                     {"steps", "1.5"},
                                                                                     {"steps", "99999999999999999999"},
                                                                                     {"learning_rate", "fast"},
                                                                                     {"learning_rate", "nan"},
                                                                                     {"learning_rate", "1e999"},
                                                                                     {"learning_rate", ""},
                                                                                     {"full_attention", "yes"}}) {
    CAPTURE(option);
    CAPTURE(text);
    const auto spec = with_changes(some_spec(), std::array{JobOption{option, text}});
    REQUIRE_FALSE(spec);
    CHECK(spec.error().code == ErrorCode::usage);
    CHECK(spec.error().message.find(option) != std::string::npos);
  }
}

TEST_CASE("a command is shown as a shell reads it back") {
  JobSpec spec;
  CHECK(shell_text(job_command("/usr/bin/natscope-cli", spec, "/jobs/a b")) ==
        "/usr/bin/natscope-cli train --job '/jobs/a b' --resume");
  spec.kind = JobKind::finetune;
  spec.options = {{"ranks", "3"}};
  CHECK(
      shell_text(job_command("/usr/bin/natscope-cli", spec, "/jobs/a")) ==
      "/usr/bin/env mpirun --bind-to none --oversubscribe -np 3 /usr/bin/natscope-cli finetune --job /jobs/a --resume");
  CHECK(shell_text(std::array<std::string, 4>{"it's", "", "$HOME", "a;b"}) == "'it'\\''s' '' '$HOME' 'a;b'");
}
