// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/checkpoints/checkpoint.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/train/options/train_options.h"
#include "core/train/random/counter_random.h"
#include "tests/support/temporary_folder.h"

using namespace natscope;
using namespace natscope::train;
using natscope::test::TemporaryFolder;

namespace {

ParameterLayout tiny_layout() {
  TrainOptions options;
  options.data = "text";
  options.layers = 1;
  options.hidden = 16;
  options.heads = 2;
  options.kv_heads = 1;
  options.vocab = 300;
  return parameter_layout(model_config(*resolve(options)));
}

/// A state whose every number says which step it belongs to.
TrainingState state_of_step(const ParameterLayout& layout, std::int64_t step) {
  TrainingState state;
  state.step = step;
  state.weights.assign(static_cast<std::size_t>(layout.size), 0.0F);
  state.first_moment = state.second_moment = state.weights;
  for (const Parameter& p : layout.parameters) {
    for (std::int64_t i = p.offset; i < p.offset + p.elements; ++i) {
      const auto at = static_cast<std::size_t>(i);
      state.weights[at] = static_cast<float>(step);
      state.first_moment[at] = static_cast<float>(step) + 0.25F;
      state.second_moment[at] = static_cast<float>(step) + static_cast<float>(i % 7);
    }
  }
  return state;
}

bool same(const TrainingState& a, const TrainingState& b) {
  return a.step == b.step && a.weights == b.weights && a.first_moment == b.first_moment &&
         a.second_moment == b.second_moment;
}

}  // namespace

TEST_CASE("what is written is read, and only the newest are kept") {
  const TemporaryFolder folder;
  const ParameterLayout layout = tiny_layout();
  for (const std::int64_t step : {1, 2, 3, 4}) {
    REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, step), 2));
  }
  CHECK(folder.names() == std::vector<std::string>{"step-000003", "step-000004"});
  const auto newest = *newest_valid_checkpoint(folder.path());
  REQUIRE(newest);
  const auto state = read_checkpoint(*newest, layout);
  REQUIRE(state);
  CHECK(same(*state, state_of_step(layout, 4)));
}

TEST_CASE("a damaged checkpoint is passed over, and refused when it is named") {
  const ParameterLayout layout = tiny_layout();
  for (const char* file : {"weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json"}) {
    for (const bool remove : {false, true}) {
      CAPTURE(file);
      CAPTURE(remove);
      const TemporaryFolder folder;
      REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 1), 2));
      REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 2), 2));
      const auto damaged = folder / "step-000002";
      if (remove) {
        std::filesystem::remove(damaged / file);
      } else {
        std::string bytes = test::read_bytes(damaged / file);
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
        test::write_bytes(damaged / file, bytes);
      }
      CHECK((*newest_valid_checkpoint(folder.path()))->filename() == "step-000001");
      CHECK(read_checkpoint(damaged, layout).error().code == ErrorCode::bad_checkpoint);
      // Writing the step again replaces the damaged one.
      REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 2), 2));
      CHECK((*newest_valid_checkpoint(folder.path()))->filename() == "step-000002");
    }
  }
}

TEST_CASE("a process hashes again only what is no longer as it wrote or verified it") {
  const TemporaryFolder folder;
  const ParameterLayout layout = tiny_layout();
  VerifiedCheckpoints verified;
  REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 1), 2, &verified));
  REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 2), 2, &verified));
  const auto weights = folder / "step-000002/weights.safetensors";
  // The same bytes in another file, and other bytes in the same file: both are read.
  const std::string bytes = test::read_bytes(weights);
  std::filesystem::rename(weights, folder / "before");
  test::write_bytes(weights, bytes);
  CHECK(verified.verify(folder / "step-000002"));
  std::string damaged = bytes;
  damaged.back() = static_cast<char>(damaged.back() ^ 0x10);
  test::write_bytes(weights, damaged);
  test::make_older(weights);
  CHECK_FALSE(verified.verify(folder / "step-000002"));
  CHECK((*newest_valid_checkpoint(folder.path(), &verified))->filename() == "step-000001");
  // A damaged one is none of the two that are kept.
  REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 3), 2, &verified));
  CHECK(folder.names() == std::vector<std::string>{"before", "step-000001", "step-000003"});
}

TEST_CASE("a checkpoint that cannot be read for a moment is no broken one") {
  const TemporaryFolder folder;
  const ParameterLayout layout = tiny_layout();
  REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 1), 2));
  REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 2), 2));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  VerifiedCheckpoints verified;
  const auto whole = verified.verify(folder / "step-000002");
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE_FALSE(whole);
  CHECK(whole.error().code == ErrorCode::io_failure);
  CHECK((*newest_valid_checkpoint(folder.path()))->filename() == "step-000002");
}

TEST_CASE("nothing is removed that is no checkpoint, whatever its name") {
  const TemporaryFolder folder;
  const ParameterLayout layout = tiny_layout();
  const std::vector<std::string> foreign{".unfinished-mine", ".unfinished-step-000001-removed", "step-000001",
                                         "step-000002", "step-000003"};
  for (const std::string& name : foreign) {
    std::filesystem::create_directory(folder / name);
    test::write_bytes(folder / name / "pytorch_model.bin", "another program's");
  }
  test::write_bytes(folder / "step-000002/state.json", "{}");
  std::filesystem::remove(folder / "step-000003/pytorch_model.bin");
  std::filesystem::create_directory(folder / "step-000003/state.json");  // no file
  // Half a checkpoint of ours goes, with what a kill left in it.
  for (const char* const name : {"step-000004", ".unfinished-step-000004-77"}) {
    std::filesystem::create_directory(folder / name);
    test::write_bytes(folder / name / "weights.safetensors", "half");
    test::write_bytes(folder / name / ".optimizer.safetensors.Ab3xYz.tmp", "half");
  }
  remove_unfinished_checkpoints(folder.path());
  for (const std::int64_t step : {10, 11, 12}) {
    REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, step), 2));
  }
  std::vector<std::string> left = foreign;
  left.insert(left.end(), {"step-000011", "step-000012"});
  CHECK(folder.names() == left);
  CHECK((*newest_valid_checkpoint(folder.path()))->filename() == "step-000012");

  const auto in_the_way = write_checkpoint(folder.path(), layout, state_of_step(layout, 1), 2);
  REQUIRE_FALSE(in_the_way);
  CHECK(in_the_way.error().message.find("step-000001") != std::string::npos);
  CHECK(test::read_bytes(folder / "step-000001/pytorch_model.bin") == "another program's");
}

TEST_CASE("a checkpoint of another model is refused") {
  const TemporaryFolder folder;
  const ParameterLayout layout = tiny_layout();
  REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 1), 2));
  TrainOptions options;
  options.hidden = 32;
  options.head_dim = 8;
  options.intermediate = 64;
  const auto read = read_checkpoint(folder / "step-000001", parameter_layout(model_config(options)));
  CHECK(read.error().code == ErrorCode::bad_checkpoint);
}

TEST_CASE("folders that are no checkpoints are nothing") {
  const TemporaryFolder folder;
  CHECK_FALSE(*newest_valid_checkpoint(folder / "nowhere"));
  for (const char* name : {"step-", "step-00000x", "step-7", "step--00001", "other"}) {
    std::filesystem::create_directory(folder / name);
  }
  CHECK_FALSE(*newest_valid_checkpoint(folder.path()));
}

TEST_CASE("killed at any moment, the newest checkpoint is the old one or the new one") {
  const TemporaryFolder folder;
  const ParameterLayout layout = tiny_layout();
  std::int64_t step = 1;
  REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, step), 2));

  // How long one takes here, so that kills fall all over it.
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(write_checkpoint(folder.path(), layout, state_of_step(layout, 2), 2));
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun);
  step = 2;

  const std::uint64_t seed = 20260713;
  MESSAGE("seed " << seed);
  const CounterRandom random(seed, 1);
  int advanced = 0;
  constexpr int kills = 120;
  for (int i = 0; i < kills; ++i) {
    const TrainingState next = state_of_step(layout, step + 1);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const auto written = write_checkpoint(folder.path(), layout, next, 2);
      ::_exit(written ? 0 : 1);
    }
    const auto wait = static_cast<std::int64_t>(static_cast<double>(random.uniform(static_cast<std::uint64_t>(i))) *
                                                1.4 * static_cast<double>(whole.count()));
    std::this_thread::sleep_for(std::chrono::microseconds(wait));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);

    const auto newest = *newest_valid_checkpoint(folder.path());
    REQUIRE(newest);
    const auto state = read_checkpoint(*newest, layout);
    REQUIRE(state);
    const bool old_one = same(*state, state_of_step(layout, step));
    const bool new_one = same(*state, next);
    REQUIRE((old_one || new_one));
    if (new_one) {
      ++step;
      ++advanced;
    }
  }
  MESSAGE(advanced << " of " << kills << " checkpoints were there before the kill");
  remove_unfinished_checkpoints(folder.path());
  for (const std::string& name : folder.names()) CHECK(name.starts_with("step-"));
}
