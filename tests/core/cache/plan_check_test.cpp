// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/plan_check.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

RolePlan under(const char* policy) {
  RolePlan plan;
  plan.policy = *parse_policy(policy);
  return plan;
}

TEST_CASE("which policies bring a W of their own") {
  for (const char* policy : {"window:3", "longformer:3,1", "streaming:1,3"})
    CHECK(has_own_window(under(policy).policy));
  for (const char* policy : {"model", "full", "h2o:1,3", "tova:4", "snapkv:4,2", "adakv:4,2"})
    CHECK_FALSE(has_own_window(under(policy).policy));
  for (const char* policy : {"model", "full"}) CHECK(takes_window(under(policy).policy));
  for (const char* policy :
       {"window:3", "longformer:3,1", "streaming:1,3", "h2o:1,3", "tova:4", "snapkv:4,2", "adakv:4,2"})
    CHECK_FALSE(takes_window(under(policy).policy));
}

TEST_CASE("nothing can be set by hand where H2O or TOVA decides") {
  for (const char* policy : {"h2o:3,4", "tova:7", "snapkv:7,3", "pyramidkv:7,3", "adakv:7,3"}) {
    RolePlan plan = under(policy);
    CHECK(check_set_by_hand(plan));
    plan.window = 4;
    REQUIRE_FALSE(check_set_by_hand(plan));
    CHECK(check_set_by_hand(plan).error().code == ErrorCode::usage);
    plan.window.reset();
    plan.forced = {{LayerId(0), KvHeadId(1), TokenPos(1), Role::global}};
    REQUIRE_FALSE(check_set_by_hand(plan));
    CHECK(check_set_by_hand(plan).error().message.find("no roles") != std::string::npos);
    plan.policy = *parse_policy("full");
    CHECK(check_set_by_hand(plan));
    plan = under(policy);
    plan.roles = RoleArray{2, 2, 4, std::vector<Role>(16)};
    CHECK_FALSE(check_set_by_hand(plan));
  }
}

}  // namespace
}  // namespace natscope
