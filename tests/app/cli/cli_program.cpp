// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/cli/cli_program.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

namespace natscope::test {

ProgramResult cli(std::vector<std::string> arguments, const ProgramOptions& options) {
  arguments.insert(arguments.begin(), std::string(NATSCOPE_BIN_DIR) + "/natscope-cli");
  return run_program(arguments, options);
}

nlohmann::json cli_json(std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const ProgramResult result = cli(std::move(arguments));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  auto value = nlohmann::json::parse(result.out, nullptr, false);
  REQUIRE_FALSE(value.is_discarded());
  return value;
}

void make_chat_demo(const TemporaryFolder& folder) {
  for (const char* const file : {"config.json", "generation_config.json", "model.safetensors", "tokenizer.model"})
    std::filesystem::create_symlink(std::string(NATSCOPE_RESOURCE_DIR) + "/demo/" + file, folder / file);
  write_bytes(folder / "tokenizer_config.json", R"({"bos_token": "<s>", "chat_template":
      "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}answer:"})");
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void write_file(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

}  // namespace natscope::test
