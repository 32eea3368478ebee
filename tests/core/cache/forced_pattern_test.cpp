// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/forced_pattern.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

TEST_CASE("a pattern sets one role, or those of all layers and KV heads") {
  const auto one = parse_forced_pattern("0.11.204=L");
  REQUIRE(one);
  CHECK(forced_roles(*one, 2, 3) == std::vector{*parse_forced_role("0.11.204=L")});
  CHECK(parse_forced_pattern("0.11.204=l") == one);
  const auto every = parse_forced_pattern("*.*.30=g");
  REQUIRE(every);
  CHECK(forced_roles_text(forced_roles(*every, 2, 3)) == "0.0.30=G,0.1.30=G,0.2.30=G,1.0.30=G,1.1.30=G,1.2.30=G");
  CHECK(forced_roles_text(forced_roles(*parse_forced_pattern("*.2.30=S"), 2, 3)) == "0.2.30=S,1.2.30=S");
  CHECK(forced_roles_text(forced_roles(*parse_forced_pattern("1.*.7=s"), 2, 3)) == "1.0.7=S,1.1.7=S,1.2.7=S");
  CHECK(forced_roles(*parse_forced_pattern("2147483647.0.0=G"), 2, 3).size() == 1);
  for (const char* bad : {"", "*", "*.*", "*.*.*=G", "*.*.30", "*.*.30=", "*.*.30=x", "*.*.30=gg", "**.1.2=G",
                          "*1.0.0=G", "0.*1.2=G", "-1.0.0=G"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_forced_pattern(bad));
  }
}

}  // namespace
}  // namespace natscope
