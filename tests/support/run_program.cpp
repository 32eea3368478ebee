// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>

extern char** environ;

namespace natscope::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    read_end = ends[0];
    write_end = ends[1];
  }
};

void close_end(int& descriptor) {
  if (descriptor >= 0) close(descriptor);
  descriptor = -1;
}

/// Reads what there is; closes the end when the other side did.
void drain(int& descriptor, std::string& into) {
  std::array<char, 65536> piece{};
  const ssize_t count = read(descriptor, piece.data(), piece.size());
  if (count > 0) {
    into.append(piece.data(), static_cast<std::size_t>(count));
  } else if (count == 0 || errno != EINTR) {
    close_end(descriptor);
  }
}

void feed(int& descriptor, std::string_view& rest) {
  const ssize_t count = rest.empty() ? 0 : write(descriptor, rest.data(), rest.size());
  if (count > 0) rest.remove_prefix(static_cast<std::size_t>(count));
  if (rest.empty() || (count < 0 && errno != EINTR && errno != EAGAIN)) close_end(descriptor);
}

}  // namespace

std::string ProgramResult::last_error_line() const {
  std::string text = err;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto begin = text.rfind('\n');
  return begin == std::string::npos ? text : text.substr(begin + 1);
}

int ProgramResult::error_lines() const {
  int count = err.rfind("error:", 0) == 0 ? 1 : 0;
  for (auto at = err.find("\nerror:"); at != std::string::npos; at = err.find("\nerror:", at + 1)) ++count;
  return count;
}

ProgramResult run_program(const std::vector<std::string>& argv, const ProgramOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe in;
  Pipe out;
  Pipe err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read_end, STDIN_FILENO);
  if (options.out_file.empty()) {
    posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, options.out_file.c_str(), O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, err.write_end, STDERR_FILENO);
  // SIGPIPE is ignored here and would stay so in the child.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  // Those that tests send may be ignored here, where these tests run in the background.
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGTERM);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> words = argv;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const auto begun = Clock::now();
  const int spawned = posix_spawn(&child, argv.front().c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close_end(in.read_end);
  close_end(out.write_end);
  close_end(err.write_end);
  if (spawned != 0) throw std::runtime_error("cannot start " + argv.front());

  ProgramResult result;
  std::string_view rest = options.input;
  bool signalled = false;
  bool killed = false;
  fcntl(in.write_end, F_SETFL, O_NONBLOCK);
  feed(in.write_end, rest);
  while (out.read_end >= 0 || err.read_end >= 0) {
    std::array<pollfd, 3> ready{{{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}, {in.write_end, POLLOUT, 0}}};
    poll(ready.data(), ready.size(), 20);
    if (out.read_end >= 0 && ready[0].revents != 0) drain(out.read_end, result.out);
    if (err.read_end >= 0 && ready[1].revents != 0) drain(err.read_end, result.err);
    if (in.write_end >= 0 && ready[2].revents != 0) feed(in.write_end, rest);
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    if (!signalled && options.signal_after_s >= 0 && seconds >= options.signal_after_s) {
      signalled = true;
      kill(child, options.signal);
    }
    if (!killed && seconds >= options.timeout_s) {
      killed = true;
      kill(child, SIGKILL);
    }
  }
  close_end(in.write_end);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return result;
}

}  // namespace natscope::test
