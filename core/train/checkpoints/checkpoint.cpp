// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/checkpoints/checkpoint.h"

#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/small_file.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "core/jobs/checkpoint_list.h"
#include "core/json/json_limits.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* unfinished_prefix = ".unfinished-";

/// Removes a checkpoint's folder, be it half of one: nothing that holds anything else.
void remove_files_of_checkpoint(const fs::path& folder) {
  std::error_code ignored;
  if (is_only_a_checkpoint(folder)) fs::remove_all(folder, ignored);
}

std::span<const std::byte> bytes_of(const std::vector<float>& values, const Parameter& p) {
  return std::as_bytes(
      std::span(values).subspan(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(p.elements)));
}

Expected<void> fill(const fs::path& folder, const ParameterLayout& layout, const TrainingState& state) {
  std::vector<TensorToWrite> weights;
  std::vector<TensorToWrite> moments;
  for (const Parameter& p : layout.parameters) {
    weights.push_back({p.name, DType::f32, p.shape, bytes_of(state.weights, p), {}});
    moments.push_back({"first." + p.name, DType::f32, p.shape, bytes_of(state.first_moment, p), {}});
    moments.push_back({"second." + p.name, DType::f32, p.shape, bytes_of(state.second_moment, p), {}});
  }
  NATSCOPE_CHECK(write_safetensors(folder / checkpoint_files::weights, weights, {}));
  NATSCOPE_CHECK(write_safetensors(folder / checkpoint_files::moments, moments, {}));
  NATSCOPE_CHECK(
      write_file_atomically(folder / checkpoint_files::state,
                            json{{"version", 1}, {"step", state.step}, {"inputs", state.inputs}}.dump(2) + "\n"));
  return write_manifest(folder);
}

/// Takes a checkpoint's name away before its files, so that a kill in between leaves no half of one in sight. What
/// another program put under such a name stays.
void remove_checkpoint(const fs::path& checkpoint) {
  if (!is_only_a_checkpoint(checkpoint)) return;
  std::error_code ignored;
  const fs::path hidden = checkpoint.parent_path() / (unfinished_prefix + checkpoint.filename().string() + "-removed");
  remove_files_of_checkpoint(hidden);
  fs::rename(checkpoint, hidden, ignored);
  remove_files_of_checkpoint(hidden);
}

/// Keeps the newest `keep` that are whole. A broken one is worth nothing, and must not count as one of those that are
/// kept; one that could not be looked at stays beside them.
void remove_old_checkpoints(const fs::path& folder, int keep, VerifiedCheckpoints& verified) {
  int valid = 0;
  for (const auto& entry : jobs::list_checkpoints(folder)) {
    if (valid < keep) {
      const auto whole = verified.verify(entry.folder);
      if (whole) ++valid;
      if (whole || whole.error().code != ErrorCode::bad_checkpoint) continue;
    }
    remove_checkpoint(entry.folder);
  }
}

Expected<std::vector<float>> read_array(const SafetensorsFile& file, const ParameterLayout& layout,
                                        const std::string& prefix) {
  std::vector<float> values(static_cast<std::size_t>(layout.size), 0.0F);
  for (const Parameter& p : layout.parameters) {
    const TensorInfo* tensor = file.find(prefix + p.name);
    if (tensor == nullptr || tensor->dtype != DType::f32 || tensor->shape != p.shape) {
      return fail(ErrorCode::bad_checkpoint,
                  printable(file.path().string()) + ": " + prefix + p.name + " is missing or has another shape",
                  "resume with the options that the run began with");
    }
    std::memcpy(values.data() + p.offset, tensor->data.data(), tensor->data.size());
  }
  return values;
}

}  // namespace

Expected<void> write_checkpoint(const fs::path& folder, const ParameterLayout& layout, const TrainingState& state,
                                int keep, VerifiedCheckpoints* verified) {
  VerifiedCheckpoints own;
  VerifiedCheckpoints& known = verified != nullptr ? *verified : own;
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  const fs::path target = folder / jobs::checkpoint_name(state.step);
  if (fs::exists(target, problem)) {
    const auto whole = known.verify(target);
    if (whole || whole.error().code != ErrorCode::bad_checkpoint) return whole;
    remove_checkpoint(target);
    if (path_exists(target)) {
      return fail(ErrorCode::io_failure, printable(target.string()) + " is there, and no checkpoint of this program",
                  "move it elsewhere; --resume goes on from the last checkpoint");
    }
  }
  const fs::path unfinished =
      folder / (unfinished_prefix + jobs::checkpoint_name(state.step) + "-" + std::to_string(::getpid()));
  remove_files_of_checkpoint(unfinished);
  fs::create_directory(unfinished, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(unfinished.string()) + ": " + problem.message());
  if (auto filled = fill(unfinished, layout, state); !filled) {
    remove_files_of_checkpoint(unfinished);
    return filled;
  }
  NATSCOPE_CHECK(sync_folder(unfinished));
  fs::rename(unfinished, target, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(target.string()) + ": " + problem.message());
  NATSCOPE_CHECK(sync_folder(folder));
  known.remember(target);
  remove_old_checkpoints(folder, keep, known);
  return {};
}

Expected<std::optional<fs::path>> newest_valid_checkpoint(const fs::path& folder, VerifiedCheckpoints* verified) {
  VerifiedCheckpoints own;
  VerifiedCheckpoints& known = verified != nullptr ? *verified : own;
  for (const auto& entry : jobs::list_checkpoints(folder)) {
    const auto whole = known.verify(entry.folder);
    if (whole) return std::optional(entry.folder);
    if (whole.error().code != ErrorCode::bad_checkpoint) return Unexpected(whole.error());
  }
  return std::optional<fs::path>();
}

Expected<TrainingState> read_checkpoint(const fs::path& checkpoint, const ParameterLayout& layout,
                                        VerifiedCheckpoints* verified) {
  VerifiedCheckpoints own;
  NATSCOPE_CHECK((verified != nullptr ? *verified : own).verify(checkpoint));
  TrainingState state;
  NATSCOPE_TRY(const json stored, read_json_file((checkpoint / checkpoint_files::state).string()));
  const auto step = stored.find("step");
  if (step == stored.end() || !step->is_number_integer() || *step < 0) {
    return fail(ErrorCode::bad_checkpoint, printable(checkpoint.string()) + ": state.json has no step");
  }
  state.step = step->get<std::int64_t>();
  if (const auto inputs = stored.find("inputs"); inputs != stored.end() && inputs->is_object()) {
    for (const auto& [name, digest] : inputs->items()) {
      if (digest.is_string()) state.inputs[name] = digest.get<std::string>();
    }
  }
  NATSCOPE_TRY(const SafetensorsFile weights, SafetensorsFile::open(checkpoint / checkpoint_files::weights));
  NATSCOPE_TRY(state.weights, read_array(weights, layout, ""));
  NATSCOPE_TRY(const SafetensorsFile moments, SafetensorsFile::open(checkpoint / checkpoint_files::moments));
  NATSCOPE_TRY(state.first_moment, read_array(moments, layout, "first."));
  NATSCOPE_TRY(state.second_moment, read_array(moments, layout, "second."));
  return state;
}

void remove_unfinished_checkpoints(const fs::path& folder) {
  std::error_code problem;
  std::vector<fs::path> left;
  for (fs::directory_iterator entry(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    if (entry->path().filename().string().starts_with(unfinished_prefix)) left.push_back(entry->path());
  }
  for (const fs::path& path : left) remove_files_of_checkpoint(path);
}

}  // namespace natscope::train
