// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/row_spool.h"

#include <doctest/doctest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

TEST_CASE("rows come back in order, twice, and leave nothing behind") {
  const test::TemporaryFolder folder;
  auto spool = RowSpool::create(folder.path());
  REQUIRE(spool);
  std::vector<float> all(700'001);
  std::iota(all.begin(), all.end(), 0.0F);
  for (std::size_t at = 0; at < all.size(); at += 1000) {
    REQUIRE(spool->append(std::span(all).subspan(at, std::min<std::size_t>(1000, all.size() - at))));
  }
  CHECK(spool->values() == 700'001);
  CHECK(folder.names().empty());
  for (int pass = 0; pass < 2; ++pass) {
    std::vector<std::byte> back;
    REQUIRE(spool->produce([&back](std::span<const std::byte> piece) -> Expected<void> {
      back.insert(back.end(), piece.begin(), piece.end());
      return {};
    }));
    REQUIRE(back.size() == all.size() * sizeof(float));
    CHECK(std::memcmp(back.data(), all.data(), back.size()) == 0);
  }
}

TEST_CASE("a folder that is not there, and a sink that fails") {
  const test::TemporaryFolder folder;
  const auto none = RowSpool::create(folder / "none");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ErrorCode::file_not_found);
  CHECK(none.error().message.find((folder / "none").string()) != std::string::npos);
  auto spool = RowSpool::create(folder.path());
  REQUIRE(spool);
  REQUIRE(spool->append(std::vector<float>{1, 2}));
  const auto result =
      spool->produce([](std::span<const std::byte>) -> Expected<void> { return fail(ErrorCode::disk_full, "full"); });
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::disk_full);
}

}  // namespace
}  // namespace natscope
