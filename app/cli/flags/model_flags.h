// SPDX-License-Identifier: GPL-3.0-or-later
/// The flags that every command with a model shares, and the engine they open.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "app/cli/flags/input_files.h"
#include "core/base/expected.h"
#include "core/engine/engine.h"

namespace natscope {

struct ModelFlags {
  std::string model;    ///< empty: the bundled demo
  std::string adapter;  ///< empty: none
  std::string device = "auto";
  std::string dtype;  ///< empty: the device's default
  int context = 0;    ///< 0: the model's
  int threads = 0;
  std::uint64_t seed = 0;

  void add_to(CLI::App& command);
  [[nodiscard]] bool adapter_has_base() const;

  /// The model's folder: --model, or the demo that came with the program. An adapter that names its base stands for
  /// both where no --model is given.
  [[nodiscard]] std::filesystem::path model_path() const;
  [[nodiscard]] std::optional<std::filesystem::path> adapter_path() const;
  /// What both are read from, for check_not_input.
  [[nodiscard]] std::vector<InputFile> input_files() const;
  /// Says so where an adapter is put on another model than the one that it names.
  void remark_other_base() const;
  [[nodiscard]] EngineOptions engine_options(std::int64_t trace_store_bytes) const;
};

/// --device, --threads, --seed and --chunk, the same wherever they stand.
void add_device_option(CLI::App& command, std::string& device, const std::string& words = "Where to compute");
void add_seed_option(CLI::App& command, std::uint64_t& seed, const std::string& words = "Seed of everything random");
void add_threads_option(CLI::App& command, int& threads);
void add_chunk_option(CLI::App& command, std::int64_t& chunk);

/// A flag that other commands have and this one cannot follow: whoever gives it is told why, as wrong usage, where a
/// parser could only say that it does not know it. Not listed in the help.
void add_refused_option(CLI::App& command, const std::string& flag, const std::string& why);
/// The same of every flag that commands share and this one has not.
void refuse_shared_options(CLI::App& command, const std::string& why);

/// Errors: as Engine::open.
[[nodiscard]] Expected<std::unique_ptr<Engine>> open_engine(const ModelFlags& options, std::int64_t trace_store_bytes,
                                                            std::stop_token stop);

}  // namespace natscope
