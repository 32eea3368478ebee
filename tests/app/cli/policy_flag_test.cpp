// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/policy_flag.h"

#include <doctest/doctest.h>

namespace natscope::test {
namespace {

std::string hint_for(const std::string& text) {
  PolicyFlag flag;
  flag.text = text;
  const auto refused = flag.parsed();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::usage);
  return refused.error().hint;
}

}  // namespace

TEST_CASE("a policy that is a slip away from one is answered with that one") {
  CHECK(hint_for("streming:4,60").starts_with("did you mean streaming? use "));
  CHECK(hint_for("Tova:8").starts_with("did you mean tova? use "));
  CHECK(hint_for("long:4,0").starts_with("did you mean longformer? use "));
  // Of a policy that is meant as it stands only the numbers are wrong, and of some words nobody knows what they mean.
  for (const char* const text : {"tova:x", "window", "magic", ""}) {
    CAPTURE(text);
    CHECK(hint_for(text).starts_with("use "));
  }
}

}  // namespace natscope::test
