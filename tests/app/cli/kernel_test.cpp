// SPDX-License-Identifier: GPL-3.0-or-later
/// The kernel command as checks from outside use it.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "tests/app/cli/cli_program.h"

namespace natscope::test {
namespace {

#ifndef NATSCOPE_TESTED_BACKEND
#define NATSCOPE_TESTED_BACKEND "cpu"  // the build of these tests that needs a GPU says "cuda"
#endif
constexpr const char* tested_backend = NATSCOPE_TESTED_BACKEND;

/// Of a case that one backend's program runs for all.
bool is_left_to_cpu() {
  if (std::string(tested_backend) == "cpu") return false;
  MESSAGE("not run: the program of the CPU backend runs it");
  return true;
}

struct Arrays {
  std::vector<float> q, k, v, d_out;
  std::vector<std::uint8_t> roles;
};

Arrays random_arrays(std::int64_t batch, std::int64_t heads, std::int64_t kv_heads, std::int64_t length,
                     std::int64_t dim) {
  std::mt19937 engine(42);
  std::normal_distribution<float> normal;
  const auto fill = [&](std::int64_t size) {
    std::vector<float> values(static_cast<std::size_t>(size));
    for (float& value : values) value = normal(engine);
    return values;
  };
  Arrays arrays{fill(batch * heads * length * dim),
                fill(batch * kv_heads * length * dim),
                fill(batch * kv_heads * length * dim),
                fill(batch * heads * length * dim),
                {}};
  for (std::int64_t i = 0; i < batch * kv_heads * length; ++i)
    arrays.roles.push_back(static_cast<std::uint8_t>(engine() % 3));
  return arrays;
}

template <class T>
TensorToWrite tensor(const char* name, DType dtype, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  TensorToWrite written;
  written.name = name;
  written.dtype = dtype;
  written.shape = std::move(shape);
  written.data = std::as_bytes(std::span(values));
  return written;
}

void write_case(const std::string& path, const Arrays& a, std::int64_t heads, std::int64_t kv_heads,
                std::int64_t length, std::int64_t dim,
                const std::map<std::string, std::string, std::less<>>& metadata) {
  const std::array tensors{tensor("q", DType::f32, {1, heads, length, dim}, a.q),
                           tensor("k", DType::f32, {1, kv_heads, length, dim}, a.k),
                           tensor("v", DType::f32, {1, kv_heads, length, dim}, a.v),
                           tensor("d_out", DType::f32, {1, heads, length, dim}, a.d_out),
                           tensor("roles", DType::u8, {1, kv_heads, length}, a.roles)};
  REQUIRE(write_safetensors(path, tensors, metadata));
}

double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error += std::pow(static_cast<double>(got[i]) - expected[i], 2);
    norm += std::pow(expected[i], 2);
  }
  return std::sqrt(error / std::max(norm, 1e-30));
}

}  // namespace

TEST_CASE("kernel --list names the operations of the contract") {
  const auto list = cli_json({"kernel", "--list"});
  std::vector<std::string> names;
  for (const auto& operation : list) names.push_back(operation["name"]);
  CHECK(names == std::vector<std::string>{"visibility", "attention_forward", "attention_backward"});
}

TEST_CASE("the backend equals ref through the command line, gradients included") {
  const TemporaryFolder folder;
  constexpr std::int64_t heads = 4;
  constexpr std::int64_t kv_heads = 2;
  constexpr std::int64_t length = 37;
  constexpr std::int64_t dim = 16;
  const Arrays arrays = random_arrays(1, heads, kv_heads, length, dim);
  write_case(folder.file("in.safetensors"), arrays, heads, kv_heads, length, dim,
             {{"window", "5"}, {"sparse_regularized_value", "1e-3"}});
  const auto run = [&](const char* operation, const char* backend) {
    const std::string out = folder.file(std::string(operation) + "-" + backend + ".safetensors");
    const ProgramResult result =
        cli({"kernel", operation, "--in", folder.file("in.safetensors"), "--out", out, "--backend", backend});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return *SafetensorsFile::open(out);
  };
  for (const char* operation : {"attention_forward", "attention_backward"}) {
    const auto ref = run(operation, "ref");
    const auto found = run(operation, tested_backend);
    for (const TensorInfo& expected : ref.tensors()) {
      CAPTURE(expected.name);
      CHECK(relative_error(*tensor_values<float>(*found.find(expected.name)), *tensor_values<float>(expected)) < 1e-5);
    }
  }
}

TEST_CASE("what a query does not see cannot poison it") {
  if (is_left_to_cpu()) return;
  const TemporaryFolder folder;
  constexpr std::int64_t length = 33;
  constexpr std::int64_t dim = 8;
  constexpr std::size_t poisoned = 20;
  Arrays arrays = random_arrays(1, 1, 1, length, dim);
  arrays.roles.assign(arrays.roles.size(), 2);
  const auto run = [&](const char* operation, const char* name) {
    write_case(folder.file("in.safetensors"), arrays, 1, 1, length, dim, {{"window", "3"}});
    const ProgramResult result =
        cli({"kernel", operation, "--in", folder.file("in.safetensors"), "--out", folder.file("out.safetensors")});
    REQUIRE(result.exit_code == 0);
    CHECK(result.err.find("note: ") != std::string::npos);
    const auto file = *SafetensorsFile::open(folder.file("out.safetensors"));
    const auto values = *tensor_values<float>(*file.find(name));
    std::vector<std::size_t> rows;
    for (std::size_t row = 0; row < static_cast<std::size_t>(length); ++row)
      if (std::isnan(values[row * static_cast<std::size_t>(dim)])) rows.push_back(row);
    return rows;
  };
  const std::vector<std::size_t> seeing{20, 21, 22, 23};
  arrays.v[poisoned * static_cast<std::size_t>(dim)] = std::numeric_limits<float>::quiet_NaN();
  CHECK(run("attention_forward", "out") == seeing);
  arrays.v[poisoned * static_cast<std::size_t>(dim)] = 0;
  arrays.k[poisoned * static_cast<std::size_t>(dim)] = std::numeric_limits<float>::quiet_NaN();
  CHECK(run("attention_forward", "out") == seeing);
  CHECK(run("attention_backward", "dq") == seeing);
}

TEST_CASE("arrays that do not fit are bad input") {
  const TemporaryFolder folder;
  const std::string in = folder.file("in.safetensors");
  const std::string out = folder.file("out.safetensors");
  const Arrays good = random_arrays(1, 4, 2, 8, 16);
  const auto refused = [&](const char* operation) {
    const ProgramResult result = cli({"kernel", operation, "--in", in, "--out", out});
    CAPTURE(result.err);
    CHECK(result.exit_code == 3);
    CHECK(result.last_error_line().rfind("error: bad-arrays: ", 0) == 0);
    CHECK_FALSE(std::filesystem::exists(out));
  };
  write_case(in, good, 4, 2, 8, 16, {});
  refused("attention_forward");  // no window
  for (const char* window : {"-1", "x", "", "1.5", "99999999999999999999"}) {
    write_case(in, good, 4, 2, 8, 16, {{"window", window}});
    refused("attention_forward");
  }
  write_case(in, good, 4, 2, 8, 16, {{"window", "3"}, {"sparse_regularized_value", "much"}});
  refused("attention_backward");
  write_case(in, good, 4, 2, 8, 16, {{"window", "3"}});
  refused("visibility");  // roles of three dimensions
  Arrays wrong = good;
  wrong.roles[3] = 3;
  write_case(in, wrong, 4, 2, 8, 16, {{"window", "3"}});
  refused("attention_forward");
  Arrays odd = random_arrays(1, 3, 2, 8, 16);
  write_case(in, odd, 3, 2, 8, 16, {{"window", "3"}});
  refused("attention_forward");  // three heads cannot share two
}

TEST_CASE("a backend that is not there is answered with a flag that helps") {
  if (is_left_to_cpu()) return;
  const TemporaryFolder folder;
  const std::string in = folder.file("in.safetensors");
  write_case(in, random_arrays(1, 4, 2, 8, 16), 4, 2, 8, 16, {{"window", "3"}});
  for (const char* const flag : {"--backend", "--device"}) {
    const ProgramResult result =
        cli({"kernel", "attention_forward", "--in", in, "--out", folder.file("out"), flag, "cuda"});
    if (result.exit_code == 0) {
      MESSAGE("not run: this machine has a GPU");
      return;
    }
    CHECK(result.last_error_line().rfind("error: device-unavailable: ", 0) == 0);
    CHECK(result.last_error_line().find(std::string("use ") + flag + " cpu") != std::string::npos);
  }
}

TEST_CASE("no tokens are no error") {
  const TemporaryFolder folder;
  write_case(folder.file("in.safetensors"), random_arrays(1, 4, 2, 0, 16), 4, 2, 0, 16, {{"window", "3"}});
  for (const char* operation : {"attention_forward", "attention_backward"}) {
    CHECK(cli({"kernel", operation, "--in", folder.file("in.safetensors"), "--out", folder.file("out.safetensors")})
              .exit_code == 0);
  }
}

TEST_CASE("sizes beside a zero are not believed: nothing is walked through or allocated for them") {
  constexpr std::int64_t huge = std::int64_t{1} << 40;
  const TemporaryFolder folder;
  const std::string in = folder.file("in.safetensors");
  const auto run = [&](const char* operation, const char* backend) {
    return cli({"kernel", operation, "--in", in, "--out", folder.file("out.safetensors"), "--backend", backend},
               {.input = {}, .timeout_s = 20})
        .exit_code;
  };
  const std::vector<float> no_numbers;
  const std::vector<std::uint8_t> no_roles;
  for (const auto& [heads, length] : {std::pair{huge, std::int64_t{0}}, {std::int64_t{0}, huge}}) {
    CAPTURE(heads);
    REQUIRE(
        write_safetensors(in, std::array{tensor("roles", DType::u8, {heads, length}, no_roles)}, {{"window", "3"}}));
    // A mask of 2^40 x 2^40 has no size that could be written down, of no heads or not.
    CHECK(run("visibility", "cpu") == (length == huge ? 3 : 0));
  }
  for (const auto& [batch, length] : {std::pair{huge, std::int64_t{0}}, {std::int64_t{0}, huge}}) {
    CAPTURE(batch);
    const std::array tensors{tensor("q", DType::f32, {batch, 4, length, 16}, no_numbers),
                             tensor("k", DType::f32, {batch, 2, length, 16}, no_numbers),
                             tensor("v", DType::f32, {batch, 2, length, 16}, no_numbers),
                             tensor("d_out", DType::f32, {batch, 4, length, 16}, no_numbers),
                             tensor("roles", DType::u8, {batch, 2, length}, no_roles)};
    REQUIRE(write_safetensors(in, tensors, {{"window", "3"}}));
    for (const char* operation : {"attention_forward", "attention_backward"}) {
      for (const char* backend : {"ref", "cpu"}) CHECK(run(operation, backend) == 0);
    }
  }
}

}  // namespace natscope::test
