// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/jobs/detached_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "core/base/system_error.h"
#include "core/base/unique_descriptor.h"

extern char** environ;

namespace natscope::jobs {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t answer_bytes = std::size_t{1} << 20;

struct Pipe {
  UniqueDescriptor read;
  UniqueDescriptor write;
};

Expected<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Unexpected(system_error(errno, "make a pipe for", "a process"));
  return Pipe{UniqueDescriptor(ends[0]), UniqueDescriptor(ends[1])};
}

/// The words as execv wants them; valid as long as `words` is.
std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

template <class T>
bool read_whole(int descriptor, T& value) {
  std::size_t filled = 0;
  while (filled < sizeof value) {
    const ssize_t count = ::read(descriptor, reinterpret_cast<char*>(&value) + filled, sizeof value - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    filled += static_cast<std::size_t>(count);
  }
  return true;
}

template <class T>
void tell(int descriptor, const T& value) {
  [[maybe_unused]] const auto written = ::write(descriptor, &value, sizeof value);
}

/// What runs between fork and exec: system calls only, since other threads of the starter may have held locks.
struct Daemon {
  char* const* arguments;
  int output;
  int input;
  int go;      // one byte: begin
  int report;  // pid, then errno of a failed exec

  [[noreturn]] void run() const {
    ::setsid();
    const pid_t second = ::fork();  // no session leader: no terminal can become its own
    if (second != 0) _exit(second < 0 ? 1 : 0);
    const pid_t self = ::getpid();
    tell(report, self);
    char byte = 0;
    if (!read_whole(go, byte)) _exit(1);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGCHLD}) ::signal(number, SIG_DFL);
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    // Descriptors that somebody forgot to mark would keep the starter's files and sockets open for days.
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execv(arguments[0], arguments);
    const int problem = errno;
    tell(report, problem);
    _exit(127);
  }
};

void wait_for(pid_t child, int& status) {
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
}

/// Reads what is there; closes the end when the other side did. What is over the limit is read and thrown away.
void drain(UniqueDescriptor& from, std::string& into) {
  std::array<char, 16384> piece{};
  const ssize_t count = ::read(from.get(), piece.data(), piece.size());
  if (count > 0) {
    into.append(piece.data(), std::min(static_cast<std::size_t>(count), answer_bytes - into.size()));
  } else if (count == 0 || errno != EINTR) {
    from = UniqueDescriptor();
  }
}

}  // namespace

Expected<ProcessIdentity> start_detached(const std::vector<std::string>& argv, const std::filesystem::path& output,
                                         const std::function<Expected<void>(const ProcessIdentity&)>& before) {
  const UniqueDescriptor out(::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!out.is_open()) return Unexpected(system_error(errno, "open", output));
  const UniqueDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing.is_open()) return Unexpected(system_error(errno, "open", "/dev/null"));
  NATSCOPE_TRY(Pipe go, make_pipe());
  NATSCOPE_TRY(Pipe report, make_pipe());
  std::vector<std::string> words = argv;
  const std::vector<char*> arguments = pointers(words);
  const Daemon daemon{arguments.data(), out.get(), nothing.get(), go.read.get(), report.write.get()};

  const pid_t child = ::fork();
  if (child < 0) return Unexpected(system_error(errno, "start", argv.front()));
  if (child == 0) {
    ::close(go.write.get());
    ::close(report.read.get());
    daemon.run();
  }
  int status = 0;
  wait_for(child, status);
  report.write = UniqueDescriptor();
  pid_t pid = 0;
  if (!read_whole(report.read.get(), pid)) return fail(ErrorCode::io_failure, "no process for " + argv.front());
  const auto identity = process_with_pid(pid);
  if (!identity) return fail(ErrorCode::io_failure, argv.front() + " ended before it began");
  NATSCOPE_CHECK(before(*identity));  // on failure `go` closes and the process leaves
  tell(go.write.get(), 'g');
  // The pipe closes when the program begins; before that it carries the reason why it does not.
  int problem = 0;
  if (read_whole(report.read.get(), problem)) return Unexpected(system_error(problem, "run", argv.front()));
  return *identity;
}

Expected<ProgramAnswer> run_for_answer(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                                       const StopToken& stop) {
  NATSCOPE_CHECK(check(stop));
  NATSCOPE_TRY(Pipe out, make_pipe());
  NATSCOPE_TRY(Pipe err, make_pipe());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write.get(), STDERR_FILENO);
  std::vector<std::string> words = argv;
  const std::vector<char*> arguments = pointers(words);
  pid_t child = 0;
  const int spawned = ::posix_spawnp(&child, argv.front().c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return Unexpected(system_error(spawned, "run", argv.front()));
  out.write = UniqueDescriptor();
  err.write = UniqueDescriptor();

  ProgramAnswer answer;
  const auto end = Clock::now() + limit;
  bool late = false;
  int status = 0;
  for (bool has_ended = false; !has_ended;) {
    const bool is_silent = !out.read.is_open() && !err.read.is_open();
    std::array<pollfd, 2> ready{{{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), is_silent ? 2 : 50);
    if (out.read.is_open() && ready[0].revents != 0) drain(out.read, answer.out);
    if (err.read.is_open() && ready[1].revents != 0) drain(err.read, answer.err);
    // A program that has closed its outputs may still hang.
    has_ended = is_silent && ::waitpid(child, &status, WNOHANG) == child;
    late = !has_ended && Clock::now() >= end;
    if (!late && !stop.stop_requested()) continue;
    if (!has_ended) {
      ::kill(child, SIGKILL);
      wait_for(child, status);
    }
    break;
  }
  NATSCOPE_CHECK(check(stop));
  if (late) {
    return fail(ErrorCode::io_failure,
                argv.front() + " did not answer within " + std::to_string(limit.count()) + " ms");
  }
  answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return answer;
}

}  // namespace natscope::jobs
