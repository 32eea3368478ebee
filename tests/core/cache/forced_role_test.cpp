// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/forced_role.h"

#include <doctest/doctest.h>

namespace natscope {
namespace {

TEST_CASE("letters of roles and back") {
  for (const Role role : {Role::global, Role::local, Role::sliding}) {
    CHECK(role_of_letter(std::string(1, role_letter(role))) == role);
  }
  CHECK(role_letter(Role::sliding) == 'S');
  for (const char* bad : {"", "g", "GG", "X", " G"}) CHECK_FALSE(role_of_letter(bad));
}

TEST_CASE("a forced role as --force takes it") {
  const ForcedRole role{LayerId(0), KvHeadId(11), TokenPos(204), Role::local};
  CHECK(to_string(role) == "0.11.204=L");
  CHECK(parse_forced_role("0.11.204=L") == role);
  for (const char* bad : {"", "0.11.204", "0.11.204=", "0.11.204=l", "0.11.204=LL", "0.11=L", "0.11.204.1=L",
                          "-1.0.0=G", "0.0.99999999999=G", " 0.0.0=G", "0.0.0 =G"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_forced_role(bad));
  }
}

TEST_CASE("lists of forced roles, and their limit") {
  CHECK(forced_roles_text({}).empty());
  CHECK(parse_forced_roles("", 0)->empty());
  const auto two = parse_forced_roles("0.1.41=G,2.0.7=S", 2);
  REQUIRE(two);
  CHECK(forced_roles_text(*two) == "0.1.41=G,2.0.7=S");
  CHECK_FALSE(parse_forced_roles("0.1.41=G,2.0.7=S", 1));
  for (const char* bad : {",", "0.1.41=G,", ",0.1.41=G", "0.1.41=G,,2.0.7=S", "0.1.41=G 2.0.7=S"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_forced_roles(bad, 9));
  }
}

}  // namespace
}  // namespace natscope
