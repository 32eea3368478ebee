// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/recorded_run.h"

#include <doctest/doctest.h>

#include <chrono>

#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace natscope {
namespace {

TEST_CASE("a run ends where its logits can be kept no longer") {
  // Written to its end it takes minutes.
  constexpr const char* tokens = "200000";
  const test::TemporaryFolder folder;
  test::TinyModel(nlohmann::json{{"max_position_embeddings", 1 << 18}}).write(folder.path());
  CLI::App command;
  RecordedRunFlags options;
  options.add_to(command);
  // The last one first, as CLI11 wants a list; the likeliest token is never the one that ends a text.
  command.parse({"--greedy", "1,2", "--tokens", tokens, "--max-new-tokens", folder.path().string(), "--model"});
  RunNeeds needs;
  int rows = 0;
  needs.logits = [&rows](std::span<const float>) -> Expected<void> {
    if (++rows < 4) return {};
    return fail(ErrorCode::disk_full, "no space left");
  };
  const auto start = std::chrono::steady_clock::now();
  const auto run = options.run(needs, [](const Engine&) { return Expected<void>(); }, {});
  REQUIRE_FALSE(run);
  CHECK(run.error().code == ErrorCode::disk_full);
  CHECK(rows == 4);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

}  // namespace
}  // namespace natscope
