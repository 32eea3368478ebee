// SPDX-License-Identifier: GPL-3.0-or-later
/// Exit codes and the last line of stderr: a table of wrong usage and bad input.
#include <doctest/doctest.h>

#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

struct Case {
  std::vector<std::string> arguments;
  int exit_code;
  const char* code;
};

void check_case(const Case& wrong) {
  std::string shown;
  for (const auto& word : wrong.arguments) shown += word + " ";
  CAPTURE(shown);
  const ProgramResult result = cli(wrong.arguments);
  CAPTURE(result.err);
  CHECK(result.exit_code == wrong.exit_code);
  CHECK(result.error_lines() == 1);
  CHECK(result.last_error_line().rfind(std::string("error: ") + wrong.code + ": ", 0) == 0);
  CHECK(result.last_error_line().find("; ") != std::string::npos);
  CHECK(result.out.empty());
}

/// The demo model under links in a folder of its own, with another generation_config.json.
std::string demo_with(const TemporaryFolder& folder, const std::string& name, const std::string& generation_config) {
  namespace fs = std::filesystem;
  const fs::path model = folder.path() / name;
  fs::create_directory(model);
  for (const auto& entry : fs::directory_iterator(fs::path(NATSCOPE_RESOURCE_DIR) / "demo")) {
    fs::create_symlink(entry.path(), model / entry.path().filename());
  }
  fs::remove(model / "generation_config.json");
  write_file((model / "generation_config.json").string(), generation_config);
  return model.string();
}

}  // namespace

TEST_CASE("wrong usage ends with code 2 and says what to do") {
  const std::vector<Case> table{
      {{}, 2, "usage"},
      {{"nonsense"}, 2, "usage"},
      {{"info", "--nonsense"}, 2, "usage"},
      {{"generate"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--tokens", "1"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--prompt-file", "b"}, 2, "usage"},
      {{"generate", "--tokens", "1,x"}, 2, "usage"},
      {{"generate", "--tokens", ""}, 2, "usage"},
      {{"generate", "--tokens", "1,,2"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--max-new-tokens", "-1"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--max-new-tokens", "many"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--temperature", "0"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--temperature", "nan"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--temperature", ""}, 2, "usage"},
      {{"generate", "--prompt", "a", "--seed", "-1"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--seed", "18446744073709551616"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--stop", ""}, 2, "usage"},
      {{"generate", "--prompt", "a", "--json=5"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--greedy=false"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--threads", "0x1"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--temperature", "0x1p-1"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--temperature=", "--json"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--top-p", "1.5"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--top-k", "-3"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--min-p", "2"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--repetition-penalty", "0"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--greedy", "--temperature", "1"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--device", "abacus"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--dtype", "float16"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--chunk", "0"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "window"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "window:-1"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "streaming:4"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "h2o:1,2,3"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "tova:1,2"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--policy", "tova:4", "--force", "0.0.0=G"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "snapkv:8,9"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "snapkv:8,0"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--policy", "snapkv:4,2", "--force", "0.0.0=G"},
       2,
       "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--policy", "snapkv:4,2", "--window", "4"}, 2, "usage"},
      {{"eval", "--text", "nowhere", "--policy", "snapkv:4,2"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "magic"}, 2, "usage"},
      {{"generate", "--prompt", "a", "--policy", "magic", "--model", "nowhere"}, 2, "usage"},
      {{"trace", "--prompt", "a"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--force", "1.2=G"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--force", "0.0.0=X"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--force", "*.*.*=G"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--policy", "h2o:2,2", "--force", "0.0.0=G"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--policy", "h2o:2,2", "--window", "4"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--policy", "h2o:2,2", "--roles", "r"}, 2, "usage"},
      {{"export", "--kind", "kv", "--prompt", "a", "--out", "x.csv", "--policy", "h2o:2,2", "--force", "0.0.0=G"},
       2,
       "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--policy", "streaming:4,60", "--window", "4"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--policy", "window:4", "--window", "4"}, 2, "usage"},
      {{"export", "--kind", "kv", "--prompt", "a", "--out", "x.csv", "--policy", "longformer:4,0", "--window", "8"},
       2,
       "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--attention", "zero"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--attention", ""}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--window", "-1"}, 2, "usage"},
      {{"export", "--kind", "attention", "--out", "x.bmp", "--prompt", "a"}, 2, "usage"},
      {{"export", "--kind", "picture", "--out", "x.png", "--prompt", "a"}, 2, "usage"},
      {{"export", "--kind", "mask", "--out", "x.npy", "--prompt", "a", "--queries", "x"}, 2, "usage"},
      {{"export", "--kind", "mask", "--out", "x.npy", "--prompt", "a", "--clip", "0"}, 2, "usage"},
      {{"export", "--kind", "mask", "--out", "x.npy", "--prompt", "a", "--clip", "nan"}, 2, "usage"},
      {{"export", "--kind", "mask", "--out", "x.png", "--prompt", "a", "--dpi", "nan"}, 2, "usage"},
      {{"eval"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "-"}, 2, "usage"},
      {{"eval", "--text", "-", "--csv", "-"}, 2, "usage"},
      {{"eval", "--text", "-", "--per-token", "-"}, 2, "usage"},
      {{"eval", "--text", "-", "--csv", "x.csv", "--per-token", "./x.csv"}, 2, "usage"},
      {{"kernel", "visibility", "--in", "a", "--out", "-"}, 2, "usage"},
      {{"bench", "nonsense"}, 2, "usage"},
      {{"bench", "--list", "decode"}, 2, "usage"},
      {{"eval", "--text", "a", "--width", "89mm"}, 2, "usage"},
      {{"bench", "tile_4k,nonsense"}, 2, "usage"},
      {{"bench", "tile_4k", "decode_8b_200k"}, 2, "usage"},
      {{"bench", "decode_8b_200k", "finetune_step_8b_8k"}, 2, "usage"},
      {{"bench", "gpu", "--device", "cpu"}, 2, "usage"},
      {{"bench", "decode_8b_200k", "--device", "cpu"}, 2, "usage"},
      {{"bench", "train_gpu", "--device", "cpu"}, 2, "usage"},
      {{"bench", "finetune_step_8b_8k", "--device", "cpu"}, 2, "usage"},
      {{"bench", "tile_4k", "--model", "x"}, 2, "usage"},
      {{"train", "--data", "x", "--out", "y", "--model", "z"}, 2, "usage"},
      {{"train", "--data", "x", "--out", "y", "--adapter", "z"}, 2, "usage"},
      {{"train", "--data", "x", "--no-start"}, 2, "usage"},
      {{"train", "--data", "x", "--out", "y", "--runner", "slurm"}, 2, "usage"},
      {{"train", "--data", "x", "--out", "y", "--policy", "window:4", "--window", "9"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "y", "--window", "2147483648"}, 2, "usage"},
      {{"jobs", "log", "a", "--lines", "-1"}, 2, "usage"},
      {{"export", "--kind", "kv", "--prompt", "a", "--compare", "b", "--compare", "c", "--compare", "d", "--compare",
        "e", "--out", "x.svg"},
       2,
       "usage"},
      {{"jobs", "duplicate", "a", "b", "--set", ""}, 2, "usage"},
      {{"finetune", "--model", "x", "--data", "y", "--out", "z", "--adapter", "a"}, 2, "usage"},
      {{"finetune", "--model", "x", "--data", "y", "--out", "z", "--lora", "u"}, 2, "usage"},
      {{"finetune", "--model", "x", "--data", "y", "--out", "z", "--passkey-keys", "0"}, 2, "usage"},
      {{"reproduce", "finetune", "--model", "x", "--data", "y", "--test", "t", "--out", "z", "--passkey-keys", "21"},
       2,
       "usage"},
      {{"finetune", "--model", "x", "--data", "y", "--out", "z", "--device", "gpu"}, 2, "usage"},
      {{"kernel", "visibility", "--in", "a", "--out", "b", "--model", "c"}, 2, "usage"},
      {{"kernel", "visibility", "--in", "a", "--out", "b", "--device", "cuda", "--backend", "ref"}, 2, "usage"},
      {{"kernel"}, 2, "usage"},
      {{"kernel", "nonsense", "--in", "a", "--out", "b"}, 2, "usage"},
      {{"kernel", "visibility"}, 2, "usage"},
  };
  for (const Case& wrong : table) check_case(wrong);
}

TEST_CASE("complaints are sentences that name what was given") {
  // What the parser itself says: command_line_test.cpp.
  const std::vector<std::pair<std::vector<std::string>, std::string>> table{
      {{"generate", "--prompt", "a", "--window", "8"},
       "natscope-cli generate has no flag \"--window\"; see natscope-cli generate --help"},
      {{"generate", "--prompt", "a", "--temperature", "0"}, "not 0;"},
      {{"generate", "--prompt", "a", "--top-k", "-1"}, "top-k must be 0 (all) or more, not -1;"},
      {{"kernel", "visibility"}, "kernel needs --in FILE and --out FILE; see natscope-cli kernel --help"},
  };
  for (const auto& [arguments, words] : table) {
    const ProgramResult result = cli(arguments);
    CAPTURE(result.err);
    CAPTURE(words);
    CHECK(result.exit_code == 2);
    CHECK(result.last_error_line().find(words) != std::string::npos);
  }
}

TEST_CASE("bad input ends with code 3 and its own name") {
  const TemporaryFolder folder;
  write_file(folder.file("latin1.txt"), "caf\xe9");
  write_file(folder.file("empty.txt"), "");
  write_file(folder.file("noise.safetensors"), "this is no safetensors file");
  write_file(folder.file("long.txt"), std::string(std::size_t{20} << 20U, 'a'));
  const std::string out = folder.file("out.safetensors");
  const std::string odd_defaults = demo_with(folder, "odd-defaults", R"({"temperature": 0, "do_sample": true})");
  const std::vector<Case> table{
      {{"info", "--model", folder.file("nowhere")}, 3, "file-not-found"},
      {{"info", "--adapter", folder.file("nowhere")}, 3, "file-not-found"},
      {{"info", "--model", ""}, 3, "file-not-found"},
      {{"info", "--adapter", ""}, 3, "file-not-found"},
      {{"trace", "--prompt", "a", "--out", out, "--roles", ""}, 3, "file-not-found"},
      {{"generate", "--prompt", "a", "--model", odd_defaults}, 3, "bad-generation-config"},
      {{"generate", "--prompt-file", folder.file("long.txt")}, 3, "prompt-too-long"},
      {{"generate", "--prompt", ""}, 3, "bad-text"},
      {{"generate", "--prompt", "caf\xe9"}, 3, "bad-text"},
      {{"generate", "--prompt=", "--json"}, 3, "bad-text"},
      {{"info", "--model=", "--json"}, 3, "file-not-found"},
      {{"eval", "--text=", "--json"}, 3, "file-not-found"},
      {{"jobs", "export", "a", "--out="}, 3, "file-not-found"},
      {{"reproduce", "scratch", "--data", "x", "--test", "y", "--out", ""}, 3, "file-not-found"},
      {{"generate", "--prompt-file", folder.file("latin1.txt")}, 3, "bad-text"},
      {{"generate", "--prompt-file", folder.file("empty.txt")}, 3, "bad-text"},
      {{"generate", "--prompt-file", folder.file("nowhere.txt")}, 3, "file-not-found"},
      {{"generate", "--prompt-file", folder.path().string()}, 3, "not-a-regular-file"},
      {{"generate", "--tokens", "1,99999999"}, 3, "bad-token-id"},
      {{"generate", "--tokens", "1,-1"}, 3, "bad-token-id"},
      {{"generate", "--tokens", "1,99999999999999999999"}, 3, "bad-token-id"},
      {{"generate", "--prompt", "a", "--device", "cuda"}, 3, "device-unavailable"},
      {{"generate", "--prompt", "a", "--policy", "longformer:4,0,99999"}, 3, "bad-position"},
      // Past the context nothing is generated.
      {{"generate", "--prompt", "a", "--policy", "longformer:4,0,1024", "--max-new-tokens", "9999"}, 3, "bad-position"},
      {{"trace", "--prompt", "a", "--out", out, "--force", "99.0.0=G"}, 3, "bad-layer"},
      {{"trace", "--prompt", "a", "--out", out, "--force", "0.99.0=G"}, 3, "bad-head"},
      {{"trace", "--prompt", "a", "--out", out, "--force", "0.0.9999=G"}, 3, "bad-position"},
      {{"trace", "--prompt", "a", "--out", out, "--force", "0.0.99999999999=G"}, 3, "bad-position"},
      {{"trace", "--prompt", "a", "--out", out, "--force", "99999999999999999999.0.0=G"}, 3, "bad-layer"},
      {{"trace", "--prompt", "a", "--out", out, "--policy", "longformer:4,0,99999999999"}, 3, "bad-position"},
      {{"trace", "--prompt", "a", "--out", out, "--attention", "0.2147483648"}, 3, "bad-head"},
      {{"trace", "--prompt", "a", "--out", out, "--attention", "99.0"}, 3, "bad-layer"},
      {{"trace", "--prompt", "a", "--out", out, "--attention", "0.99"}, 3, "bad-head"},
      {{"trace", "--prompt", "a", "--out", out, "--roles", folder.file("noise.safetensors")}, 3, "bad-safetensors"},
      {{"trace", "--prompt", "a", "--out", folder.file("no/such/folder.safetensors")}, 3, "file-not-found"},
      {{"export", "--kind", "attention", "--out", folder.file("x.npy"), "--prompt", "a", "--layer", "99"},
       3,
       "bad-layer"},
      {{"export", "--kind", "mask", "--out", folder.file("x.npy"), "--prompt", "a", "--head", "99"}, 3, "bad-head"},
      {{"export", "--kind", "mask", "--out", folder.file("x.npy"), "--prompt", "a", "--keys", "0:9999"},
       3,
       "bad-position"},
      {{"export", "--kind", "mask", "--out", folder.file("x.npy"), "--prompt", "a", "--queries",
        "0:99999999999999999999"},
       3,
       "bad-position"},
      {{"export", "--kind", "mask", "--out", folder.file("x.npy"), "--prompt", "a", "--layer", "99999999999"},
       3,
       "bad-layer"},
      {{"export", "--kind", "roles", "--out", folder.file("x.npy"), "--from", folder.file("noise.safetensors")},
       3,
       "bad-safetensors"},
      {{"eval", "--text", folder.file("latin1.txt")}, 3, "bad-text"},
      {{"eval", "--text", folder.file("empty.txt")}, 3, "bad-text"},
      {{"kernel", "visibility", "--in", folder.file("noise.safetensors"), "--out", out}, 3, "bad-safetensors"},
  };
  const auto before = folder.names();
  for (const Case& wrong : table) check_case(wrong);
  CHECK(folder.names() == before);
}

TEST_CASE("a flag takes the place of a default that the model's file has wrong") {
  const TemporaryFolder folder;
  const std::string model = demo_with(folder, "model", R"({"temperature": 0, "do_sample": true})");
  CHECK(cli({"generate", "--prompt", "a", "--max-new-tokens", "1", "--model", model, "--temperature", "1"}).exit_code ==
        0);
  CHECK(cli({"generate", "--prompt", "a", "--max-new-tokens", "1", "--model", model, "--greedy"}).exit_code == 0);
}

TEST_CASE("what cannot be written is an error, not a success") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"},
        {"--version"},
        {"info"},
        {"kernel", "--list"},
        {"bench", "--list"},
        {"generate", "--prompt", "Once", "--max-new-tokens", "900"},
        {"generate", "--prompt", "Once", "--max-new-tokens", "3", "--json"}}) {
    CAPTURE(arguments.back());
    const ProgramResult result = cli(arguments, {.input = {}, .out_file = "/dev/full"});
    CHECK(result.exit_code == 3);
    CHECK(result.last_error_line().rfind("error: io-failure: ", 0) == 0);
    CHECK(result.error_lines() == 1);
  }
}

TEST_CASE("the engine's words for people are an error, too, where they cannot be written") {
  for (const char* const flag : {"--help", "--version"}) {
    const std::string engine = std::string(NATSCOPE_BIN_DIR) + "/natscope-engine";
    const ProgramResult full = run_program({engine, flag}, {.input = {}, .out_file = "/dev/full"});
    CHECK(full.exit_code == 3);
    CHECK(full.last_error_line().rfind("error: io-failure: ", 0) == 0);
    const ProgramResult said = run_program({engine, flag});
    CHECK(said.exit_code == 0);
    CHECK(said.out.find("natscope-engine") == 0);
  }
}

TEST_CASE("the folder of the start is gone: said, not believed to be a broken library") {
  const TemporaryFolder folder;
  const std::string gone = folder.file("gone");
  for (const char* const program : {"natscope-cli", "natscope-engine"}) {
    CAPTURE(program);
    const ProgramResult result =
        run_program({"/bin/sh", "-c", "mkdir \"$1\" && cd \"$1\" && rmdir \"$1\" && exec \"$2\" --version", "sh", gone,
                     std::string(NATSCOPE_BIN_DIR) + "/" + program});
    CHECK(result.exit_code == 3);
    CHECK(result.error_lines() == 1);
    CHECK(result.last_error_line().rfind("error: file-not-found: the folder that this was started in", 0) == 0);
    CHECK(result.out.empty());
  }
}

TEST_CASE("streams that were closed are closed, and nothing else takes their place") {
  const TemporaryFolder folder;
  const auto under_shell = [](const std::string& rest) {
    return run_program({"/bin/sh", "-c", "exec \"" NATSCOPE_BIN_DIR "/natscope-cli\" " + rest},
                       {.input = {}, .timeout_s = 30});
  };
  ProgramResult result = under_shell("generate --prompt-file - --max-new-tokens 1 <&-");
  CHECK(result.exit_code == 3);
  CHECK(result.error_lines() == 1);
  CHECK(result.last_error_line().find("cannot read standard input") != std::string::npos);
  result = under_shell("generate --prompt-file - --max-new-tokens 1 </");
  CHECK(result.exit_code == 3);
  CHECK(result.last_error_line().rfind("error: not-a-regular-file: cannot read standard input", 0) == 0);
  result = under_shell("info <&- >&-");
  CHECK(result.exit_code == 3);
  CHECK(result.last_error_line().rfind("error: io-failure: ", 0) == 0);
  result = under_shell("export --kind roles --tokens 1,2,3 --out '" + folder.file("r.csv") + "' --json <&- >&- 2>&-");
  CHECK(result.exit_code == 3);
  CHECK(folder.names() == std::vector<std::string>{"r.csv", "r.csv.json"});
}

TEST_CASE("a limit of a file's size is an error like others, and leaves nothing") {
  const TemporaryFolder folder;
  const ProgramResult result = run_program(
      {"/bin/sh", "-c",
       "ulimit -f 8; exec \"" NATSCOPE_BIN_DIR "/natscope-cli\" trace --prompt 'Once upon a time' --max-new-tokens "
       "40 --attention all --out '" +
           folder.file("t.safetensors") + "'"},
      {.input = {}, .timeout_s = 60});
  CHECK(result.exit_code == 3);
  CHECK(result.last_error_line().rfind("error: io-failure: ", 0) == 0);
  CHECK(folder.names().empty());
}

TEST_CASE("help and version go to stdout with code 0") {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--help"},
                                                    {"--version"},
                                                    {"generate", "--help"},
                                                    {"trace", "--help"},
                                                    {"export", "--help"},
                                                    {"eval", "--help"},
                                                    {"train", "--help"},
                                                    {"bench", "--help"},
                                                    {"kernel", "--help"},
                                                    {"info", "--help"}}) {
    const ProgramResult result = cli(arguments);
    CHECK(result.exit_code == 0);
    CHECK_FALSE(result.out.empty());
    CHECK(result.err.empty());
  }
}

TEST_CASE("info names every field of the contract") {
  const auto info = cli_json({"info"});
  for (const char* field : {"architecture", "layers", "heads", "kv_heads", "head_dim", "hidden", "vocab", "context",
                            "window", "global_bias", "nats", "parameters", "weight_bytes", "kv_bytes_per_token",
                            "dtype", "tokenizer", "adapter", "sparse_regularized_value", "training_policy"}) {
    CAPTURE(field);
    CHECK(info.contains(field));
  }
  CHECK(info["nats"] == true);
  CHECK(info["adapter"].is_null());
  CHECK(info["sparse_regularized_value"] == 5e-9);
  const std::int64_t heads = info["layers"].get<std::int64_t>() * info["kv_heads"].get<std::int64_t>();
  CHECK(info["kv_bytes_per_token"] == heads * info["head_dim"].get<std::int64_t>() * 2 * 4);
  const auto narrow = cli_json({"info", "--dtype", "bfloat16"});
  CHECK(narrow["kv_bytes_per_token"].get<std::int64_t>() * 2 == info["kv_bytes_per_token"].get<std::int64_t>());
  CHECK(narrow["dtype"] == "bfloat16");
}

TEST_CASE("too little memory to begin with ends by the contract") {
  // So little that LibTorch cannot set itself up, or starts no threads; what the loader itself lacks is 127.
  int ended = 0;
  for (const char* const kibibytes : {"440000", "470000", "500000", "520000"}) {
    const ProgramResult result =
        run_program({"/bin/sh", "-c", "ulimit -v $0; exec \"$@\"", kibibytes, NATSCOPE_BIN_DIR "/natscope-cli",
                     "generate", "--prompt", "a", "--max-new-tokens", "1"});
    CAPTURE(kibibytes);
    CAPTURE(result.err);
    CHECK((result.exit_code == 0 || result.exit_code == 4 || result.exit_code == 127));
    if (result.exit_code != 4) continue;
    ++ended;
    CHECK(result.last_error_line().rfind("error: out-of-memory: ", 0) == 0);
  }
  CHECK(ended > 0);
}

}  // namespace natscope::test
