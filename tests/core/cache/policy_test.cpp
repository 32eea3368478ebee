// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/policy.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

TEST_CASE("every policy is read, and written back") {
  for (const char* text : {"model", "full", "window:0", "window:16", "longformer:8", "longformer:8,0,5,17",
                           "streaming:4,256", "streaming:0,0", "h2o:64,64", "h2o:0,1", "tova:64", "tova:0",
                           "snapkv:512,32", "snapkv:1,1", "pyramidkv:512,32", "adakv:64,8"}) {
    CAPTURE(text);
    const auto policy = parse_policy(text);
    REQUIRE(policy);
    CHECK(to_string(*policy) == text);
  }
  const Policy streaming = *parse_policy("streaming:4,256");
  CHECK(streaming.kind == Policy::Kind::streaming);
  CHECK(streaming.sinks == 4);
  CHECK(streaming.window == 256);
  const Policy h2o = *parse_policy("h2o:12,34");
  CHECK(h2o.heavy == 12);
  CHECK(h2o.recent == 34);
  CHECK(parse_policy("tova:12")->heavy == 12);
  CHECK(parse_policy("tova:12")->recent == 0);
  CHECK(parse_policy("snapkv:12,5")->heavy == 7);
  CHECK(parse_policy("snapkv:12,5")->recent == 5);
  CHECK(to_string(*parse_policy("longformer:8,17,5,5,0")) == "longformer:8,0,5,17");
}

TEST_CASE("what has roles, and what the rest is called") {
  for (const char* text : {"", "model", "full", "window:0", "longformer:8,0", "streaming:4,256"})
    CHECK(has_roles(text));
  for (const char* text : {"h2o:2,3", "tova:5", "snapkv:5,2", "pyramidkv:5,2", "adakv:5,2", "SnapKV 512", "modell",
                           "windows:3", "streaming-llm"})
    CHECK_FALSE(has_roles(text));
  CHECK(method_name("h2o:2,3") == "H2O");
  CHECK(method_name("tova:5") == "TOVA");
  CHECK(method_name("snapkv:5,2") == "SnapKV");
  CHECK(method_name("pyramidkv:5,2") == "PyramidKV");
  CHECK(method_name("adakv:5,2") == "Ada-KV");
  CHECK(method_name("SnapKV 512") == "SnapKV 512");
  CHECK(method_name("h2o-like") == "h2o-like");
}

TEST_CASE("everything else is refused, and the text is named") {
  for (const char* text : {"",
                           "Model",
                           "modell",
                           "full:",
                           "full:1",
                           "model:3",
                           "window",
                           "window:",
                           "window:-1",
                           "window:1.5",
                           "window: 1",
                           "window:1 ",
                           "window:1,2",
                           "window:+1",
                           "window:0x10",
                           "window:99999999999999999999",
                           "window:2147483648",
                           "longformer:",
                           "longformer:8,",
                           "longformer:,8",
                           "longformer:8,-1",
                           "streaming:4",
                           "streaming:4,5,6",
                           "streaming:,",
                           "h2o:1",
                           "h2o:1,2,3",
                           "tova",
                           "tova:1,2",
                           "h2o:a,b",
                           "h2o",
                           "snapkv:4",
                           "snapkv:4,0",
                           "pyramidkv:4,0",
                           "adakv:4,5",
                           "snapkv:4,5",
                           "snapkv:0,0",
                           "snapkv:4,2,1",
                           "snapkv:-4,2",
                           ":",
                           ":4"}) {
    CAPTURE(text);
    const auto policy = parse_policy(text);
    REQUIRE_FALSE(policy);
    CHECK(policy.error().code == ErrorCode::bad_policy);
    CHECK(policy.error().message.find(text) != std::string::npos);
    CHECK(policy.error().message == "cache policy \"" + std::string(text) + "\": " + policy_problem(text));
  }
  CHECK(policy_problem("streaming:4") == "takes 2 numbers, not 1");
  CHECK(policy_problem("streaming:4,6").empty());
  CHECK(policy_problem("snapkv:4,0").starts_with("WINDOW is 0, "));
  CHECK(policy_problem("snapkv:4,5").starts_with("WINDOW is 5, more than the SIZE of 4 "));
}

TEST_CASE("who drops behind a prompt alone, and by what rule") {
  for (const char* text : {"model", "full", "window:3", "streaming:1,2", "h2o:2,3", "tova:5"})
    CHECK_FALSE(drops_behind_prompt(*parse_policy(text)));
  CHECK(drops_behind_prompt(*parse_policy("snapkv:5,2")));
  const auto rule = score_rule(*parse_policy("snapkv:5,2"));
  REQUIRE(rule);
  CHECK(rule->heavy == 3);
  CHECK(rule->recent == 2);
  CHECK(rule->scores == kernels::EntryScores::of_prompt_end);
  CHECK_FALSE(score_rule(*parse_policy("full")));
}

}  // namespace
}  // namespace natscope
