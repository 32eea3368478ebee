// SPDX-License-Identifier: GPL-3.0-or-later
/// Ctrl+C: within half a second, with the contract's last line and nothing half-written.
#include <doctest/doctest.h>

#include "tests/app/cli/cli_program.h"

namespace natscope::test {

namespace {

/// Whether a fast machine was done before the signal came.
bool has_ended(const ProgramResult& result) {
  if (result.exit_code != 0) return false;
  MESSAGE("not run: it ended before the signal");
  return true;
}

}  // namespace

TEST_CASE("Ctrl+C ends generation cleanly and keeps what was streamed") {
  const ProgramResult result = cli({"generate", "--prompt", "Once upon a time", "--max-new-tokens", "100000000",
                                    "--policy", "window:16", "--temperature", "1"},
                                   {.input = {}, .signal_after_s = 0.6});
  if (has_ended(result)) return;
  CHECK(result.exit_code == 5);
  CHECK(result.seconds < 0.6 + 0.5 + 0.3);
  CHECK(result.last_error_line().rfind("error: interrupted: ", 0) == 0);
  CHECK(result.error_lines() == 1);
}

TEST_CASE("Ctrl+C ends the program in the same way while its libraries are still being set up") {
  for (const double after_s : {0.15, 0.3}) {
    CAPTURE(after_s);
    const ProgramResult result = cli({"generate", "--prompt", "Once upon a time", "--max-new-tokens", "900"},
                                     {.input = {}, .signal_after_s = after_s});
    CHECK(result.exit_code == 5);
    CHECK(result.error_lines() == 1);
    CHECK(result.last_error_line().rfind("error: interrupted: ", 0) == 0);
  }
}

TEST_CASE("a terminal that is closed ends the program as Ctrl+C does") {
  const TemporaryFolder folder;
  std::string text;
  for (int line = 0; line < 60000; ++line) text += "The tide came in, and the small boats turned in the harbour.\n";
  write_file(folder.file("long.txt"), text);
  const std::string program = std::string(NATSCOPE_BIN_DIR) + "/natscope-cli";
  // Whatever this test was started with.
  const ProgramResult ended =
      run_program({"/usr/bin/env", "--default-signal=HUP", program, "eval", "--text", folder.file("long.txt")},
                  {.input = {}, .signal_after_s = 1.5, .signal = SIGHUP});
  CHECK(ended.exit_code == 5);
  CHECK(ended.last_error_line().rfind("error: interrupted: ", 0) == 0);
}

TEST_CASE("a signal that is ignored where the program is started stays so: nohup, a script's background") {
  const std::string program = std::string(NATSCOPE_BIN_DIR) + "/natscope-cli";
  for (const auto& [name, signal] : {std::pair{"HUP", SIGHUP}, std::pair{"INT", SIGINT}, std::pair{"TERM", SIGTERM}}) {
    for (const double after_s : {0.15, 0.5}) {
      CAPTURE(name);
      CAPTURE(after_s);
      const ProgramResult kept = run_program({"/usr/bin/env", std::string("--ignore-signal=") + name, program,
                                              "generate", "--prompt", "Once", "--max-new-tokens", "90"},
                                             {.input = {}, .signal_after_s = after_s, .signal = signal});
      CHECK(kept.exit_code == 0);
    }
  }
}

TEST_CASE("Ctrl+C during eval prints no JSON, or one whole object") {
  const TemporaryFolder folder;
  std::string text;
  for (int line = 0; line < 60000; ++line) text += "The tide came in, and the small boats turned in the harbour.\n";
  write_file(folder.file("long.txt"), text);
  const ProgramResult result =
      cli({"eval", "--text", folder.file("long.txt"), "--json"}, {.input = {}, .signal_after_s = 1.5});
  CHECK(result.exit_code == 5);
  CHECK(result.out.empty());
  CHECK(result.seconds < 1.5 + 0.5 + 0.3);
}

TEST_CASE("Ctrl+C while a large picture is drawn ends it at once, and leaves no file") {
  const TemporaryFolder folder;
  std::string tokens = "1";
  for (int i = 0; i < 400; ++i) tokens += ",300";
  const ProgramResult result =
      cli({"export", "--kind", "mask", "--tokens", tokens, "--cell", "30", "--out", folder.file("map.png")},
          {.input = {}, .signal_after_s = 2.0});
  if (has_ended(result)) return;
  CHECK(result.exit_code == 5);
  CHECK(result.seconds < 2.0 + 0.5);
  CHECK(result.error_lines() == 1);
  CHECK(folder.names().empty());
}

TEST_CASE("Ctrl+C during a trace leaves no file and no rest of one") {
  const TemporaryFolder folder;
  const ProgramResult result = cli({"trace", "--prompt", "Once upon a time", "--max-new-tokens", "100000",
                                    "--attention", "all", "--logits", "--out", folder.file("trace.safetensors")},
                                   {.input = {}, .signal_after_s = 0.7});
  if (has_ended(result)) return;
  CHECK(result.exit_code == 5);
  CHECK(folder.names().empty());
}

}  // namespace natscope::test
