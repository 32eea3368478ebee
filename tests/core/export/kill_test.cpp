// SPDX-License-Identifier: GPL-3.0-or-later
/// A process that is killed while it exports: its file is the old one or the new one, never a piece of either.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "core/export/data_files.h"

namespace natscope {
namespace {

constexpr int kills = 120;
constexpr std::int64_t length = 400;

/// A role map whose every role is `role`: two of them differ in every byte of their data.
FigureData figure_of(Role role) {
  RoleMap map{4, 4, length, {}};
  map.roles.assign(4 * 4 * length, role);
  FigureData figure;
  figure.kind = FigureKind::roles;
  figure.values = std::move(map);
  return figure;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Exports one figure after the other into the same file until it is killed.
[[noreturn]] void export_for_ever(const std::filesystem::path& path) {
  const std::array figures{figure_of(Role::global), figure_of(Role::sliding)};
  for (std::size_t turn = 0;; ++turn) {
    if (!write_figure_data(path, figures[turn % 2])) _exit(1);
  }
}

}  // namespace

TEST_CASE("kill -9 during an export leaves the old file or the new one") {
  std::string pattern = (std::filesystem::temp_directory_path() / "natscope-kill-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  const std::filesystem::path folder(pattern);
  const unsigned seed = std::random_device{}();
  MESSAGE("seed ", seed);
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int> microseconds(0, 12000);
  for (const char* name : {"roles.npy", "roles.csv", "roles.json"}) {
    CAPTURE(name);
    const auto path = folder / name;
    REQUIRE(write_figure_data(path, figure_of(Role::global)));
    const std::string old_bytes = bytes_of(path);
    REQUIRE(write_figure_data(path, figure_of(Role::sliding)));
    const std::string new_bytes = bytes_of(path);
    REQUIRE(old_bytes != new_bytes);
    int torn = 0;
    for (int kill_number = 0; kill_number < kills / 3; ++kill_number) {
      const pid_t child = fork();
      REQUIRE(child >= 0);
      if (child == 0) export_for_ever(path);
      std::this_thread::sleep_for(std::chrono::microseconds(microseconds(engine)));
      kill(child, SIGKILL);
      int status = 0;
      waitpid(child, &status, 0);
      CHECK(WIFSIGNALED(status));
      const std::string bytes = bytes_of(path);
      torn += bytes != old_bytes && bytes != new_bytes ? 1 : 0;
    }
    CHECK(torn == 0);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace natscope
