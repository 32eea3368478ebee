// SPDX-License-Identifier: GPL-3.0-or-later
/// The commands and flags of the parser as plain lists: what the help, completion scripts and the manual are made of,
/// so that none can name a flag that is not there, or miss one that is.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace natscope {

struct FlagWords {
  std::vector<std::string> names;  ///< as typed: "--out", "-h"; empty for a positional argument
  std::string value;               ///< "FILE", "POLICY", "N"; empty for a switch
  std::string group;               ///< heading that it stands under: "Options", "Model"
  std::vector<std::string> choices;
  std::string range;  ///< "0 to 1024", "1 or more"; empty where it has none
  std::string default_value;
  std::string description;
  std::vector<std::string> excludes;  ///< flags that cannot stand beside it
  std::vector<std::string> needs;     ///< flags that it means something with
  bool is_required = false;
  bool is_repeatable = false;
  bool takes_file = false;
  bool takes_folder = false;
  bool takes_job = false;

  /// What holds of it and its description does not say, in one style: "required", "0 to 1024; default: 0".
  [[nodiscard]] std::string terms() const;
};

struct CommandWords {
  std::vector<std::string> path;  ///< {"jobs", "stop"}; empty for the program itself
  std::string description;
  std::string footer;  ///< what the help says behind the flags; a line a paragraph
  std::vector<FlagWords> flags;
  std::vector<FlagWords> positionals;
  std::vector<std::string> subcommands;
  bool runs_alone = false;  ///< also without one of its subcommands

  /// "natscope-cli jobs stop"
  [[nodiscard]] std::string program() const;
};

/// The program first, then its commands in the order of the help, each followed by its own.
[[nodiscard]] std::vector<CommandWords> command_words(const CLI::App& root);

}  // namespace natscope
