// SPDX-License-Identifier: GPL-3.0-or-later
/// --device of the commands that train.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "core/train/options/train_options.h"

namespace natscope {

struct TrainingDeviceFlag {
  std::string name = "auto";

  void add_to(CLI::App& command) {
    command.add_option("--device", name, "Where passes are computed; auto: on the GPU where that can be")
        ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
        ->capture_default_str();
  }
  [[nodiscard]] train::TrainDevice device() const {
    return name == "cuda" ? train::TrainDevice::gpu : name == "cpu" ? train::TrainDevice::cpu : train::TrainDevice::any;
  }
};

}  // namespace natscope
