// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/provenance.h"

#include <doctest/doctest.h>

#include "tests/core/session/recorded_run.h"

namespace natscope {
namespace {

TEST_CASE("metadata and back") {
  Provenance provenance = test::run_provenance();
  provenance.maps = {{LayerId(0), HeadId(0)}, {LayerId(11), HeadId(3)}};
  const auto back = parse_trace_metadata(trace_metadata(provenance));
  REQUIRE(back);
  CHECK(*back == provenance);
  provenance.window.reset();
  provenance.heads.reset();
  provenance.head_dim.reset();
  provenance.policy.clear();
  const auto bare = parse_trace_metadata(trace_metadata(provenance));
  REQUIRE(bare);
  CHECK(*bare == provenance);
}

TEST_CASE("a prompt's digest is that of its bytes") {
  // sha256("abc"), FIPS 180-2 appendix B.1
  CHECK(prompt_digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(prompt_digest(std::vector<std::int32_t>{1, 22, 333}) == prompt_digest("1,22,333"));
}

TEST_CASE("lists of maps") {
  CHECK(maps_text({}).empty());
  CHECK(parse_maps("")->empty());
  CHECK(maps_text(*parse_maps("3.0,0.12")) == "3.0,0.12");
  for (const char* bad : {",", "1", "1.", ".1", "1.2,", "1.2,,3.4", "a.b", "1.2.3", " 1.2", "1.-2", "99999999999.0"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_maps(bad));
  }
}

}  // namespace
}  // namespace natscope
