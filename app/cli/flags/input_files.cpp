// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/input_files.h"

#include <algorithm>
#include <array>
#include <map>
#include <system_error>

#include "core/base/atomic_file.h"

namespace natscope {
namespace {

/// A figure that was written into the folder may be written there again.
bool is_of_a_model(const std::filesystem::path& file) {
  constexpr std::array named{"config.json",
                             "generation_config.json",
                             "tokenizer.json",
                             "tokenizer_config.json",
                             "chat_template.jinja",
                             "adapter_config.json",
                             "model.safetensors.index.json"};
  return file.extension() == ".safetensors" || file.extension() == ".model" ||
         std::ranges::find(named, file.filename().string()) != named.end();
}

}  // namespace

Expected<void> check_not_input(const std::filesystem::path& out, const std::vector<InputFile>& inputs) {
  if (out == "-") {
    return fail(ErrorCode::usage, "this is written to a file, not to standard output",
                "name a file (./- is one that is called -)");
  }
  for (const InputFile& input : inputs) {
    std::error_code none;
    if (!std::filesystem::equivalent(out, input.path, none) || none) continue;
    return fail(ErrorCode::usage,
                "this would overwrite " + printable(out.string()) + ", which is read by " + input.flag,
                "write to another file");
  }
  return {};
}

Expected<void> check_outputs(const std::vector<InputFile>& outputs, const std::vector<InputFile>& inputs) {
  std::error_code none;
  std::map<std::filesystem::path, std::string> taken;  // by which flag
  for (const auto& [flag, out] : outputs) {
    if (out.empty()) continue;
    NATSCOPE_CHECK(check_writable_target(out));
    NATSCOPE_CHECK(check_not_input(out, inputs));
    const auto place = std::filesystem::weakly_canonical(std::filesystem::absolute(out, none), none);
    const auto [other, is_free] = taken.try_emplace(place, flag);
    if (!is_free)
      return fail(ErrorCode::usage, other->second + " and " + flag + " name the same file", "give each its own");
  }
  return {};
}

std::vector<InputFile> model_files(const std::string& flag, const std::filesystem::path& folder) {
  std::vector<InputFile> files;
  std::error_code problem;
  for (auto entry = std::filesystem::directory_iterator(folder, problem);
       !problem && entry != std::filesystem::directory_iterator(); entry.increment(problem)) {
    if (is_of_a_model(entry->path())) files.push_back({flag, entry->path()});
  }
  return files;
}

}  // namespace natscope
