// SPDX-License-Identifier: GPL-3.0-or-later
/// Frames of the attention map: measured by the window's own program, which has the widgets this one does not link.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "app/cli/bench/benchmarks.h"
#include "core/base/program_folder.h"

extern char** environ;

namespace natscope::bench {
namespace {

constexpr std::size_t max_answer_bytes = 1U << 20U;

/// What `natscope --bench-frame SIZE` prints, run without a display.
Expected<std::string> ask_window(std::int64_t size) {
  const std::filesystem::path folder = program_folder();
  const std::string program = (folder / "natscope").string();
  std::error_code ignored;
  if (folder.empty() || !std::filesystem::exists(program, ignored)) {
    return fail(ErrorCode::file_not_found, "the window's program is not at " + program,
                "build with Qt, or leave this benchmark out");
  }
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail(ErrorCode::io_failure, "no pipe can be made");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string name = "natscope";
  std::string flag = "--bench-frame";
  std::string value = std::to_string(size);
  std::array<char*, 4> arguments{name.data(), flag.data(), value.data(), nullptr};
  pid_t child = 0;
  const int spawned = posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (spawned != 0) {
    close(ends[0]);
    return fail(ErrorCode::io_failure, program + " cannot be started");
  }
  std::string answer;
  std::array<char, 4096> piece{};
  for (ssize_t count = 0; (count = read(ends[0], piece.data(), piece.size())) != 0;) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || answer.size() > max_answer_bytes) break;
    answer.append(piece.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(ErrorCode::internal, program + " --bench-frame failed");
  return answer;
}

Expected<Row> frame_row(std::int64_t size) {
  NATSCOPE_TRY(const std::string answer, ask_window(size));
  const auto measured = nlohmann::json::parse(answer, nullptr, false);
  if (!measured.is_object() || !measured.contains("p95_ms") || !measured["p95_ms"].is_number()) {
    return fail(ErrorCode::internal, "natscope --bench-frame answered with something else than its figures");
  }
  Row row;
  row.name = "frame_" + std::to_string(size);
  row.size = "map of " + std::to_string(size) + "² cells, pan and zoom, 95th percentile of a frame";
  row.value = measured["p95_ms"].get<double>();
  row.unit = "ms";
  row.runs = measured.value("frames", std::int64_t{0});
  row.spread = measured.value("spread", 0.0);
  return row;
}

}  // namespace

Expected<std::vector<Row>> frame(const Context& context) {
  NATSCOPE_TRY(auto small, frame_row(4096));
  if (!context.wants("frame_16384")) return std::vector<Row>{std::move(small)};
  NATSCOPE_TRY(auto large, frame_row(16384));
  // The larger map must not cost more: it is the reference of the claim that a frame does not grow with T.
  large.reference = "frame_4096";
  large.ratio = small.value / large.value;
  std::vector<Row> rows;
  if (context.wants("frame_4096")) rows.push_back(std::move(small));
  rows.push_back(std::move(large));
  return rows;
}

}  // namespace natscope::bench
