// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/policy_budget.h"

#include <doctest/doctest.h>

namespace natscope {

TEST_CASE("a baseline at a budget holds that share of a text") {
  CHECK(to_string(policy_at_budget(Policy::Kind::window, 0.1, 1000)) == "window:100");
  CHECK(to_string(policy_at_budget(Policy::Kind::streaming, 0.1, 1000)) == "streaming:4,96");
  CHECK(to_string(policy_at_budget(Policy::Kind::h2o, 0.101, 1000)) == "h2o:50,51");
  CHECK(to_string(policy_at_budget(Policy::Kind::tova, 0.101, 1000)) == "tova:101");
  CHECK(to_string(policy_at_budget(Policy::Kind::snapkv, 0.101, 1000)) == "snapkv:101,32");
  CHECK(to_string(policy_at_budget(Policy::Kind::snapkv, 0.04, 1000)) == "snapkv:40,20");
  CHECK(to_string(policy_at_budget(Policy::Kind::pyramidkv, 0.101, 1000)) == "pyramidkv:101,32");
  CHECK(to_string(policy_at_budget(Policy::Kind::adakv, 0.04, 1000)) == "adakv:40,20");
}

TEST_CASE("a baseline has at least one entry and at most the text's") {
  CHECK(to_string(policy_at_budget(Policy::Kind::streaming, 0.0001, 64)) == "streaming:0,1");
  CHECK(to_string(policy_at_budget(Policy::Kind::h2o, 0, 64)) == "h2o:0,1");
  CHECK(to_string(policy_at_budget(Policy::Kind::snapkv, 0, 64)) == "snapkv:1,1");
  CHECK(to_string(policy_at_budget(Policy::Kind::snapkv, 2, 64)) == "snapkv:64,32");
  CHECK(to_string(policy_at_budget(Policy::Kind::window, 2, 64)) == "window:64");
}

TEST_CASE("policies of one kind have one name") {
  CHECK(family_name("model") == "learned roles");
  CHECK(family_name("full") == "full attention");
  CHECK(family_name("window:16") == family_name("window:32"));
  CHECK(family_name("longformer:8,1") == "Longformer");
  CHECK(family_name("streaming:4,60") == "StreamingLLM");
  CHECK(family_name("h2o:2,2") == "H2O");
  CHECK(family_name("tova:2") == "TOVA");
  CHECK(family_name("snapkv:2,1") == "SnapKV");
  CHECK(family_name("SnapKV 512") == "SnapKV 512");
}

}  // namespace natscope
