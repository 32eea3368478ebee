// SPDX-License-Identifier: GPL-3.0-or-later
/// Job folders that nobody ran, for tests of what reads them.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace natscope::test {

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline nlohmann::json step_line(int step, double loss) {
  const nlohmann::json shares{{"global", 0.1}, {"local", 0.2}, {"sliding", 0.7}, {"kv_fraction", 0.25}};
  return {{"step", step},          {"loss", loss}, {"learning_rate", 1e-3}, {"gradient_norm", 1.0},
          {"tokens_per_s", 812.0}, {"eta_s", 65},  {"sampled", shares},     {"argmax", shares}};
}

/// A job in `state` after `steps` of twice as many steps, with their progress.
inline void write_job(const std::filesystem::path& folder, const std::string& state, int steps) {
  write_text(folder / "spec.json",
             nlohmann::json{{"kind", "train"}, {"version", 1}, {"steps", 2 * steps}, {"window", 16}}.dump());
  write_text(folder / "status.json", nlohmann::json{{"state", state},
                                                    {"pid", 1},
                                                    {"step", steps},
                                                    {"steps", 2 * steps},
                                                    {"updated", "2026-01-31T12:00:00Z"},
                                                    {"error", ""}}
                                         .dump());
  std::string progress;
  for (int step = 1; step <= steps; ++step) progress += step_line(step, 5.0 - step * 0.01).dump() + "\n";
  write_text(folder / "progress.jsonl", progress);
  write_text(folder / "log.txt", "begun\ngoing on\n");
}

}  // namespace natscope::test
