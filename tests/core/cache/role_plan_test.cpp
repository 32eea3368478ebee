// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/role_plan.h"

#include <doctest/doctest.h>

#include <limits>

namespace natscope {
namespace {

RoleDecider decider(const RolePlan& plan, std::optional<std::int64_t> model_window = 16, float bias = 0.1F,
                    bool has_scores = true) {
  auto created = RoleDecider::create(plan, 2, 2, model_window, bias, has_scores);
  if (!created) FAIL(format_error_line(created.error()));
  return *created;
}

std::string decided(const RoleDecider& decider, std::int32_t first, const std::vector<float>& scores, std::size_t n,
                    std::int32_t layer = 0, std::int32_t head = 0) {
  std::vector<Role> roles(n, static_cast<Role>(9));
  REQUIRE(decider.decide(LayerId(layer), KvHeadId(head), TokenPos(first), scores, roles));
  std::string text;
  for (const Role role : roles) text += "GLS"[static_cast<int>(role)];
  return text;
}

RolePlan with_policy(const char* text) {
  RolePlan plan;
  plan.policy = *parse_policy(text);
  return plan;
}

TEST_CASE("learned roles are the argmax with the bias, ties to the lowest, position 0 global") {
  const std::vector<float> scores = {0, 1, 2, 0, 0.05F, 0, 0, 0.2F, 0, 0, 0, 0.2F, -1, 1, 1};
  CHECK(decided(decider({}), 0, scores, 5) == "GGLSL");
  CHECK(decided(decider({}), 7, scores, 5) == "SGLSL");
  CHECK(decided(decider({}, 16, 0), 7, {0, 0, 0, 0, 1e-6F, 0}, 2) == "GL");
}

TEST_CASE("what is known before there are scores: all but what they decide") {
  const auto known = [](const RolePlan& plan, std::int32_t first, bool has_scores = true) {
    std::vector<Role> roles(4, static_cast<Role>(9));
    REQUIRE(decider(plan, 16, 0.1F, has_scores).prescribe(LayerId(0), KvHeadId(1), TokenPos(first), roles));
    std::string text;
    for (const Role role : roles) text += "GLS?"[static_cast<int>(role)];
    return text;
  };
  CHECK(known({}, 0) == "G???");
  CHECK(known({}, 5) == "????");
  CHECK(known({}, 5, false) == "GGGG");
  CHECK(known(with_policy("streaming:6,3"), 4) == "GGSS");
  RolePlan forced;
  forced.forced = {{LayerId(0), KvHeadId(1), TokenPos(6), Role::local},
                   {LayerId(0), KvHeadId(0), TokenPos(7), Role::local}};
  CHECK(known(forced, 5) == "?L??");
}

TEST_CASE("scores that are no finite numbers decide nothing, and matter only where they decide") {
  std::vector<float> scores(6, 0.0F);
  std::vector<Role> roles(2);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    scores[4] = bad;
    const auto refused = decider({}).decide(LayerId(0), KvHeadId(0), TokenPos(3), scores, roles);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unsupported_model);
    CHECK(decided(decider(with_policy("window:3")), 3, scores, 2) == "SS");
  }
}

TEST_CASE("policies take the place of the scores") {
  const std::vector<float> scores(15, 0.0F);
  CHECK(decided(decider(with_policy("full")), 0, scores, 5) == "GGGGG");
  CHECK(decided(decider(with_policy("window:3")), 0, scores, 5) == "SSSSS");
  CHECK(decided(decider(with_policy("streaming:2,3")), 1, scores, 4) == "GSSS");
  CHECK(decided(decider(with_policy("longformer:3,1,4")), 0, scores, 5) == "SGSSG");
  CHECK(decided(decider(with_policy("h2o:3,4")), 0, scores, 5) == "GGGGG");
  CHECK(decided(decider(with_policy("tova:7")), 0, scores, 5) == "GGGGG");
  CHECK(decided(decider(with_policy("snapkv:7,2")), 0, scores, 5) == "GGGGG");
  CHECK(decided(decider({}, {}, 0, false), 0, {}, 3) == "GGG");
}

TEST_CASE("one window holds: the plan's, the policy's, the model's, or none") {
  CHECK(decider({}).window() == 16);
  CHECK(decider(with_policy("window:3")).window() == 3);
  CHECK(decider(with_policy("streaming:1,5")).window() == 5);
  CHECK_FALSE(decider(with_policy("full")).window());
  CHECK_FALSE(decider(with_policy("h2o:1,1")).window());
  CHECK_FALSE(decider({}, {}, 0, false).window());
  RolePlan plan = with_policy("window:3");
  plan.window = 0;
  CHECK(decider(plan).window() == 0);
  CHECK(decider({}).counts_whole_window());
  CHECK(decider(with_policy("longformer:2")).counts_whole_window());
  CHECK_FALSE(decider(with_policy("full")).counts_whole_window());
  CHECK_FALSE(decider(with_policy("h2o:1,1")).counts_whole_window());
  CHECK_FALSE(decider(with_policy("tova:2")).counts_whole_window());
  CHECK_FALSE(decider(with_policy("snapkv:2,1")).counts_whole_window());
  for (const char* const policy : {"model", "window:8", "streaming:2,8", "longformer:4,0"})
    CHECK_FALSE(decider(with_policy(policy), {}, 0, false).counts_whole_window());
}

TEST_CASE("a role array is taken verbatim, and single forced roles win over it") {
  RolePlan plan;
  plan.roles = RoleArray{2, 2, 4, {}};
  for (int n = 0; n < 16; ++n) plan.roles->roles.push_back(static_cast<Role>(n % 3));
  CHECK(plan.roles->at(LayerId(1), KvHeadId(1), TokenPos(2)) == static_cast<Role>(14 % 3));
  const std::vector<float> scores(12, 0.0F);
  CHECK(decided(decider(plan), 0, scores, 4, 0, 1) == "LSGL");
  plan.forced = {{LayerId(0), KvHeadId(1), TokenPos(3), Role::global},
                 {LayerId(0), KvHeadId(1), TokenPos(0), Role::local},
                 {LayerId(0), KvHeadId(1), TokenPos(0), Role::sliding},
                 {LayerId(0), KvHeadId(1), TokenPos(4000), Role::local}};
  CHECK(decided(decider(plan), 0, scores, 4, 0, 1) == "SSGG");
  CHECK(decided(decider(plan), 1, scores, 2, 0, 1) == "SG");
  CHECK(decided(decider(plan), 0, scores, 4, 1, 1) == "GLSG");

  std::vector<Role> roles(2);
  const auto beyond = decider(plan).decide(LayerId(0), KvHeadId(0), TokenPos(3), scores, roles);
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().code == ErrorCode::bad_roles);
}

TEST_CASE("a sequence that is processed again has the roles that it had, what follows it is decided as ever") {
  RolePlan plan;
  plan.as_before = RoleArray{2, 2, 3, {}};
  for (int n = 0; n < 12; ++n) plan.as_before->roles.push_back(static_cast<Role>((n + 1) % 3));
  // Scores that would make every token local.
  std::vector<float> scores;
  for (int n = 0; n < 5; ++n) scores.insert(scores.end(), {0.0F, 5.0F, 0.0F});
  CHECK(decided(decider(plan), 0, scores, 5, 0, 1) == "LSGLL");
  CHECK(decided(decider(plan), 2, scores, 3, 1, 0) == "GLL");
  CHECK(decided(decider(plan), 3, scores, 2, 1, 0) == "LL");
  plan.forced = {{LayerId(0), KvHeadId(1), TokenPos(1), Role::global},
                 {LayerId(0), KvHeadId(1), TokenPos(4), Role::global}};
  CHECK(decided(decider(plan), 0, scores, 5, 0, 1) == "LGGLG");
  plan.forced.clear();
  plan.policy = *parse_policy("streaming:1,2");
  CHECK(decided(decider(plan), 0, scores, 5, 0, 1) == "LSGSS");
  plan.policy = {};
  plan.roles = RoleArray{2, 2, 5, std::vector<Role>(20, Role::sliding)};
  CHECK(decided(decider(plan), 0, scores, 5, 0, 1) == "LSGSS");
}

TEST_CASE("what a plan names must be there") {
  const auto code = [](const RolePlan& plan, std::optional<std::int64_t> window = 16) {
    const auto created = RoleDecider::create(plan, 2, 2, window, 0, true);
    return created ? ErrorCode::internal : created.error().code;
  };
  const auto forced = [](int layer, int head, int position, Role role) {
    RolePlan plan;
    plan.forced = {{LayerId(layer), KvHeadId(head), TokenPos(position), role}};
    return plan;
  };
  CHECK(code(forced(2, 0, 0, Role::local)) == ErrorCode::bad_layer);
  CHECK(code(forced(-1, 0, 0, Role::local)) == ErrorCode::bad_layer);
  CHECK(code(forced(0, 2, 0, Role::local)) == ErrorCode::bad_head);
  CHECK(code(forced(0, 0, -1, Role::local)) == ErrorCode::bad_position);
  CHECK(code(forced(0, 0, 0, static_cast<Role>(3))) == ErrorCode::bad_roles);
  CHECK(code(forced(0, 0, 0, Role::sliding), {}) == ErrorCode::bad_roles);
  RolePlan plan;
  plan.window = -1;
  CHECK(code(plan) == ErrorCode::bad_policy);
  plan = {};
  plan.roles = RoleArray{2, 1, 4, std::vector<Role>(8)};
  CHECK(code(plan) == ErrorCode::bad_roles);
  plan.roles = RoleArray{2, 2, 4, std::vector<Role>(15)};
  CHECK(code(plan) == ErrorCode::bad_roles);
  plan.roles = RoleArray{2, 2, 4, std::vector<Role>(16, static_cast<Role>(3))};
  CHECK(code(plan) == ErrorCode::bad_roles);
  plan.roles.reset();
  plan.as_before = RoleArray{2, 1, 4, std::vector<Role>(8)};
  CHECK(code(plan) == ErrorCode::bad_roles);
  plan.as_before = RoleArray{2, 2, 1, std::vector<Role>(4, Role::sliding)};
  CHECK(code(plan, {}) == ErrorCode::bad_roles);
}

}  // namespace
}  // namespace natscope
