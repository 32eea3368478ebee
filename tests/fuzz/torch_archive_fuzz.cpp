// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <filesystem>

#include "core/io/torch_archive.h"
#include "tests/fuzz/mutation.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/zip_bytes.h"

namespace natscope {
namespace {

using test::Bytes;
using test::TemporaryFolder;

std::string fixture(const char* name) {
  return test::read_bytes(std::filesystem::path(NATSCOPE_TESTS_DIR) / "data/torch_adapter" / name);
}

/// Reads a file of these bytes: an answer of the right kind, or tensors whose data is all there.
bool survives(const TemporaryFolder& folder, const std::string& bytes, std::uint64_t round) {
  test::write_bytes(folder / "a.pth", bytes);
  const auto tensors = read_torch_archive(folder / "a.pth");
  if (!tensors) {
    if (tensors.error().code != ErrorCode::bad_adapter) FAIL("round ", round, ": ", tensors.error().message);
    return false;
  }
  for (const TorchTensor& tensor : *tensors) {
    std::size_t wanted = item_bytes(tensor.dtype);
    for (const std::int64_t size : tensor.shape) wanted *= static_cast<std::size_t>(size);
    if (wanted != tensor.data.size()) FAIL("round ", round, ": ", tensor.name);
  }
  return true;
}

TEST_CASE("mutated torch files are read or refused") {
  const std::uint64_t seed = test::fuzz_seed();
  MESSAGE("repeat with NATSCOPE_FUZZ_SEED=", seed);
  std::mt19937_64 random(seed);
  const TemporaryFolder folder;
  const std::string files[] = {fixture("lora_bf16.pth"), fixture("ordered_f16.pth"), fixture("bad_state_dict.pth")};
  const std::uint64_t rounds = test::number_from_environment("NATSCOPE_FUZZ_ROUNDS", 20'000);
  std::uint64_t accepted = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const std::string& file = files[random() % std::size(files)];
    Bytes bytes(file.begin(), file.end());
    test::mutate(bytes, random);
    accepted += survives(folder, std::string(bytes.begin(), bytes.end()), i) ? 1 : 0;
  }
  MESSAGE(accepted, " of ", rounds, " were still sound");
  CHECK(accepted < rounds);
}

// In a zip of its own with right checksums: what is broken there reaches the machine that reads the pickle.
TEST_CASE("mutated pickles are read or refused") {
  const std::uint64_t seed = test::fuzz_seed();
  MESSAGE("repeat with NATSCOPE_FUZZ_SEED=", seed);
  std::mt19937_64 random(seed);
  const TemporaryFolder folder;
  const std::string file = fixture("scores_f32.pth");
  // Stored as it is, so that it can be cut out: from its first opcode to STOP, in front of the padding.
  const std::size_t begin = file.find("\x80\x02}");
  const std::size_t end = file.find("u.", begin);
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  const std::string pickle = file.substr(begin, end + 2 - begin);
  const std::string storage(1152, 's');
  const std::uint64_t rounds = test::number_from_environment("NATSCOPE_FUZZ_ROUNDS", 20'000);
  std::uint64_t accepted = 0;
  for (std::uint64_t i = 0; i <= rounds; ++i) {
    Bytes bytes(pickle.begin(), pickle.end());
    if (i > 0) test::mutate(bytes, random);
    const bool sound = survives(
        folder,
        test::zip_bytes(
            {{"x/data.pkl", std::string(bytes.begin(), bytes.end())}, {"x/data/0", storage}, {"x/data/1", storage}}),
        i);
    if (i == 0) REQUIRE(sound);
    accepted += sound ? 1 : 0;
  }
  MESSAGE(accepted, " of ", rounds, " were still sound");
  CHECK(accepted < rounds);
}

}  // namespace
}  // namespace natscope
