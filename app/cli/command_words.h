// SPDX-License-Identifier: GPL-3.0-or-later
/// The commands and flags of the parser as plain lists: what completion scripts and the manual are made of, so that
/// neither can name a flag that is not there, or miss one that is.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace natscope {

struct FlagWords {
  std::vector<std::string> names;  ///< as typed: "--out", "-h"; empty for a positional argument
  std::string value;               ///< "FILE", "POLICY", "N"; empty for a switch
  std::vector<std::string> choices;
  std::string default_value;
  std::string description;
  bool is_required = false;
  bool takes_file = false;
  bool takes_folder = false;
  bool takes_job = false;
};

struct CommandWords {
  std::vector<std::string> path;  ///< {"jobs", "stop"}; empty for the program itself
  std::string description;
  std::string footer;  ///< what the help says behind the flags
  std::vector<FlagWords> flags;
  std::vector<FlagWords> positionals;
  std::vector<std::string> subcommands;
};

/// The program first, then its commands in the order of the help, each followed by its own.
[[nodiscard]] std::vector<CommandWords> command_words(const CLI::App& root);

}  // namespace natscope
