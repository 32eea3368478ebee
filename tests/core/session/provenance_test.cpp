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

TEST_CASE("how tokens were chosen is told where some were generated, and comes back to the last digit") {
  Provenance provenance = test::run_provenance();
  for (const char* key : {"greedy", "temperature", "global_bias", "context"})
    CHECK_FALSE(trace_metadata(provenance).contains(key));
  provenance.global_bias = 0.1;
  provenance.context = 8192;
  provenance.sampling = SamplingOptions{false, 0.7, 40, 0.95, 1.0 / 3, 1.1, provenance.seed};
  Metadata metadata = trace_metadata(provenance);
  CHECK(metadata["global_bias"] == "0.1");
  CHECK(metadata["context"] == "8192");
  CHECK(metadata["greedy"] == "false");
  CHECK(metadata["temperature"] == "0.7");
  CHECK(metadata["top_k"] == "40");
  CHECK(metadata["top_p"] == "0.95");
  CHECK(metadata["repetition_penalty"] == "1.1");
  const auto back = parse_trace_metadata(metadata);
  REQUIRE(back);
  CHECK(*back == provenance);
  for (const auto& [key, bad] : {std::pair{"temperature", "warm"},
                                 {"top_p", "nan"},
                                 {"greedy", "maybe"},
                                 {"top_k", "1.5"},
                                 {"context", "0"},
                                 {"global_bias", "inf"}}) {
    CAPTURE(key);
    Metadata wrong = metadata;
    wrong[key] = bad;
    CHECK_FALSE(parse_trace_metadata(wrong));
  }
  metadata.erase("min_p");
  CHECK_FALSE(parse_trace_metadata(metadata));
}

TEST_CASE("what was set by hand is told, and comes back") {
  Provenance provenance = test::run_provenance();
  for (const char* key : {"set_window", "set_roles", "set_roles_sha256"}) {
    CAPTURE(key);
    CHECK_FALSE(trace_metadata(provenance).contains(key));
  }
  CHECK(in_words(provenance.by_hand).empty());

  RolePlan plan;
  plan.window = 0;
  plan.forced = {{LayerId(0), KvHeadId(1), TokenPos(41), Role::global},
                 {LayerId(2), KvHeadId(0), TokenPos(7), Role::local}};
  plan.roles = RoleArray{1, 1, 3, {Role::global, Role::local, Role::sliding}};
  provenance.by_hand = set_by_hand(plan);
  Metadata metadata = trace_metadata(provenance);
  CHECK(metadata["set_window"] == "0");
  CHECK(metadata["set_roles"] == "0.1.41=G,2.0.7=L");
  // printf '\000\001\002' | sha256sum
  CHECK(metadata["set_roles_sha256"] == "ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc");
  CHECK(in_words(provenance.by_hand) == "W 0 set by hand, roles from a file, 2 roles set by hand");
  const auto back = parse_trace_metadata(metadata);
  REQUIRE(back);
  CHECK(*back == provenance);

  for (const char* bad : {"0.1.41", "0.1.41=X", "0.1.41=G,", ",", "0.-1.4=G", "x", "0.1.41=G;2.0.7=L"}) {
    CAPTURE(bad);
    metadata["set_roles"] = bad;
    CHECK_FALSE(parse_trace_metadata(metadata));
  }
  std::string many = "0.0.0=G";
  for (int i = 0; i < 65536; ++i) many += ",0.0.0=G";
  metadata["set_roles"] = many;
  CHECK_FALSE(parse_trace_metadata(metadata));
  metadata["set_roles"] = "";
  CHECK(parse_trace_metadata(metadata)->by_hand.forced.empty());
  metadata["set_window"] = "-1";
  CHECK_FALSE(parse_trace_metadata(metadata));
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
