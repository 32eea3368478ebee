// SPDX-License-Identifier: GPL-3.0-or-later
// Files larger than the memory at hand: an error, where an exception would end the window that reads or writes them.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <string>

#include "core/session/roles_file.h"
#include "core/session/session_file.h"
#include "core/session/trace_sequence.h"
#include "tests/core/session/recorded_run.h"
#include "tests/support/temporary_folder.h"

namespace natscope {
namespace {

using test::LooseFile;

std::uint64_t address_space_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmSize:")) return 1024 * std::strtoull(line.c_str() + 7, nullptr, 10);
  }
  return 0;
}

/// Whether `work` says out_of_memory in a process that may take only so much more.
bool is_out_of_memory(std::uint64_t more_bytes, const std::function<std::optional<Error>()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlim_t most = address_space_bytes() + more_bytes;
    const rlimit limit{most, most};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) ::_exit(2);
    try {
      const std::optional<Error> error = work();
      ::_exit(error && error->code == ErrorCode::out_of_memory ? 0 : 1);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

template <class Result>
std::optional<Error> error_of(const Result& result) {
  return result ? std::nullopt : std::optional(result.error());
}

TEST_CASE("sessions and roles that memory does not hold") {
  constexpr std::int64_t large = std::int64_t{64} << 20U;
  const test::TemporaryFolder folder;
  Session session = test::recorded_session();
  REQUIRE(write_session(folder / "good", session));
  LooseFile file = LooseFile::of(folder / "good");
  file.replace("prompt_bytes", DType::u8, {large});
  file.write(folder / "session");
  // As much as the file itself takes when it is mapped, and half as much again.
  CHECK(is_out_of_memory(large * 3 / 2, [&] { return error_of(read_session(folder / "session")); }));

  file.replace("roles", DType::u8, {1, 1, large});
  file.write(folder / "roles");
  CHECK(is_out_of_memory(large * 5 / 2, [&] { return error_of(read_roles_file(folder / "roles")); }));

  const SequenceRecord record = test::consistent_run();
  REQUIRE(write_trace(folder / "good", test::run_trace(record)));
  LooseFile trace = LooseFile::of(folder / "good");
  constexpr std::int64_t tokens = large / 32;
  trace.replace("tokens", DType::i64, {tokens});
  trace.replace("roles", DType::u8, {1, 1, tokens});
  trace.replace("kv_entries", DType::i32, {tokens, 1, 1});
  trace.replace("kv_allocated_bytes", DType::i64, {tokens});
  for (const char* const name : {"logits", "scores", "probability", "attention", "visible"}) trace.remove(name);
  trace.metadata["maps"] = "";
  trace.metadata.erase("token_texts");
  trace.write(folder / "trace");
  constexpr std::int64_t mapped = tokens * (8 + 1 + 4 + 8);
  // No room for the copy of a column that is checked; room for those, but none for how each token reads.
  CHECK(is_out_of_memory(mapped + 4 * tokens, [&] { return error_of(TraceFile::open(folder / "trace")); }));
  CHECK(is_out_of_memory(mapped + 20 * tokens, [&]() -> std::optional<Error> {
    const auto open = TraceFile::open(folder / "trace");
    return open ? error_of(session_of(*open, std::nullopt)) : std::nullopt;
  }));

  session.prompt.assign(static_cast<std::size_t>(large), 'x');
  CHECK(is_out_of_memory(large / 2, [&] { return error_of(write_session(folder / "new", session)); }));
  CHECK(folder.names() == std::vector<std::string>{"good", "roles", "session", "trace"});
}

}  // namespace
}  // namespace natscope
