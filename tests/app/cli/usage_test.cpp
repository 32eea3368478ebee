// SPDX-License-Identifier: GPL-3.0-or-later
/// Exit codes and the last line of stderr: a table of wrong usage and bad input.
#include <doctest/doctest.h>

#include "core/jobs/job_fields.h"
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
      {{"generate", "--prompt", "a", "--policy", "magic"}, 2, "usage"},
      {{"trace", "--prompt", "a"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--force", "1.2=G"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--force", "0.0.0=X"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--attention", "zero"}, 2, "usage"},
      {{"trace", "--prompt", "a", "--out", "x.safetensors", "--window", "-1"}, 2, "usage"},
      {{"export", "--kind", "attention", "--out", "x.bmp", "--prompt", "a"}, 2, "usage"},
      {{"export", "--kind", "picture", "--out", "x.png", "--prompt", "a"}, 2, "usage"},
      {{"export", "--kind", "mask", "--out", "x.npy", "--prompt", "a", "--queries", "x"}, 2, "usage"},
      {{"export", "--kind", "mask", "--out", "x.npy", "--prompt", "a", "--clip", "0"}, 2, "usage"},
      {{"eval"}, 2, "usage"},
      {{"bench", "nonsense"}, 2, "usage"},
      {{"kernel"}, 2, "usage"},
      {{"kernel", "nonsense", "--in", "a", "--out", "b"}, 2, "usage"},
      {{"kernel", "visibility"}, 2, "usage"},
  };
  for (const Case& wrong : table) check_case(wrong);
}

TEST_CASE("bad input ends with code 3 and its own name") {
  const TemporaryFolder folder;
  write_file(folder.file("latin1.txt"), "caf\xe9");
  write_file(folder.file("empty.txt"), "");
  write_file(folder.file("noise.safetensors"), "this is no safetensors file");
  const std::string out = folder.file("out.safetensors");
  const std::vector<Case> table{
      {{"info", "--model", folder.file("nowhere")}, 3, "file-not-found"},
      {{"info", "--adapter", folder.file("nowhere")}, 3, "file-not-found"},
      {{"generate", "--prompt", ""}, 3, "bad-text"},
      {{"generate", "--prompt", "caf\xe9"}, 3, "bad-text"},
      {{"generate", "--prompt-file", folder.file("latin1.txt")}, 3, "bad-text"},
      {{"generate", "--prompt-file", folder.file("empty.txt")}, 3, "bad-text"},
      {{"generate", "--prompt-file", folder.file("nowhere.txt")}, 3, "file-not-found"},
      {{"generate", "--prompt-file", folder.path().string()}, 3, "not-a-regular-file"},
      {{"generate", "--tokens", "1,99999999"}, 3, "bad-token-id"},
      {{"generate", "--tokens", "1,-1"}, 3, "bad-token-id"},
      {{"generate", "--tokens", "1,99999999999999999999"}, 3, "bad-token-id"},
      {{"generate", "--prompt", "a", "--device", "cuda"}, 3, "device-unavailable"},
      {{"generate", "--prompt", "a", "--policy", "longformer:4,0,99999"}, 3, "bad-position"},
      {{"trace", "--prompt", "a", "--out", out, "--force", "99.0.0=G"}, 3, "bad-layer"},
      {{"trace", "--prompt", "a", "--out", out, "--force", "0.99.0=G"}, 3, "bad-head"},
      {{"trace", "--prompt", "a", "--out", out, "--force", "0.0.9999=G"}, 3, "bad-position"},
      {{"trace", "--prompt", "a", "--out", out, "--attention", "99.0"}, 3, "bad-layer"},
      {{"trace", "--prompt", "a", "--out", out, "--attention", "0.99"}, 3, "bad-head"},
      {{"trace", "--prompt", "a", "--out", out, "--roles", folder.file("noise.safetensors")}, 3, "bad-safetensors"},
      {{"trace", "--prompt", "a", "--out", folder.file("no/such/folder.safetensors")}, 3, "file-not-found"},
      {{"export", "--kind", "attention", "--out", folder.file("x.npy"), "--prompt", "a", "--layer", "99"}, 3, "bad-layer"},
      {{"export", "--kind", "mask", "--out", folder.file("x.npy"), "--prompt", "a", "--head", "99"}, 3, "bad-head"},
      {{"export", "--kind", "mask", "--out", folder.file("x.npy"), "--prompt", "a", "--keys", "0:9999"}, 3, "bad-position"},
      {{"export", "--kind", "roles", "--out", folder.file("x.npy"), "--from", folder.file("noise.safetensors")}, 3, "bad-safetensors"},
      {{"eval", "--text", folder.file("latin1.txt")}, 3, "bad-text"},
      {{"eval", "--text", folder.file("empty.txt")}, 3, "bad-text"},
      {{"kernel", "visibility", "--in", folder.file("noise.safetensors"), "--out", out}, 3, "bad-safetensors"},
  };
  const auto before = folder.names();
  for (const Case& wrong : table) check_case(wrong);
  CHECK(folder.names() == before);
}

TEST_CASE("help and version go to stdout with code 0") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"--version"}, {"generate", "--help"}, {"trace", "--help"}, {"export", "--help"},
        {"eval", "--help"}, {"train", "--help"}, {"jobs", "--help"}, {"jobs", "show", "--help"}, {"bench", "--help"}, {"kernel", "--help"}, {"info", "--help"}}) {
    const ProgramResult result = cli(arguments);
    CHECK(result.exit_code == 0);
    CHECK_FALSE(result.out.empty());
    CHECK(result.err.empty());
  }
}

TEST_CASE("a form of a training job asks for nothing that the command does not know") {
  const std::string help = cli({"train", "--help"}).out;
  for (const jobs::JobField& field : jobs::job_fields(jobs::JobKind::train)) {
    CAPTURE(field.flag);
    CHECK(help.find(std::string(field.flag) + " ") != std::string::npos);
  }
}

TEST_CASE("info names every field of the contract") {
  const auto info = cli_json({"info"});
  for (const char* field : {"architecture", "layers", "heads", "kv_heads", "head_dim", "hidden", "vocab", "context", "window",
                            "global_bias", "nats", "parameters", "weight_bytes", "kv_bytes_per_token", "dtype", "tokenizer", "adapter"}) {
    CAPTURE(field);
    CHECK(info.contains(field));
  }
  CHECK(info["nats"] == true);
  CHECK(info["adapter"].is_null());
  const std::int64_t heads = info["layers"].get<std::int64_t>() * info["kv_heads"].get<std::int64_t>();
  CHECK(info["kv_bytes_per_token"] == heads * info["head_dim"].get<std::int64_t>() * 2 * 4);
  const auto narrow = cli_json({"info", "--dtype", "bfloat16"});
  CHECK(narrow["kv_bytes_per_token"].get<std::int64_t>() * 2 == info["kv_bytes_per_token"].get<std::int64_t>());
  CHECK(narrow["dtype"] == "bfloat16");
}

}  // namespace natscope::test
