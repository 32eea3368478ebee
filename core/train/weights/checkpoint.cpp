// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/weights/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/mapped_file.h"
#include "core/base/sha256.h"
#include "core/io/json_limits.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "core/jobs/checkpoint_list.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* file_names[] = {"weights.safetensors", "optimizer.safetensors", "state.json"};
constexpr const char* manifest_name = "manifest.json";
constexpr const char* unfinished_prefix = ".unfinished-";

/// A checkpoint's file, or what a kill left of the writing of one (atomic_file.h).
bool is_of_a_checkpoint(const std::string& name) {
  const auto is_for = [&](const std::string& file) {
    return name == file || (name.starts_with("." + file + ".") && name.ends_with(".tmp"));
  };
  return is_for(manifest_name) || std::ranges::any_of(file_names, is_for);
}

/// Removes a checkpoint's folder, be it half of one: nothing that holds anything else.
void remove_files_of_checkpoint(const fs::path& folder) {
  std::error_code ignored;
  if (is_only_a_checkpoint(folder)) fs::remove_all(folder, ignored);
}

std::span<const std::byte> bytes_of(const std::vector<float>& values, const Parameter& p) {
  return std::as_bytes(
      std::span(values).subspan(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(p.elements)));
}

Expected<json> manifest_entry(const fs::path& path) {
  NATSCOPE_TRY(const MappedFile file, MappedFile::open(path));
  return json{{"name", path.filename().string()}, {"bytes", file.bytes().size()}, {"sha256", sha256_hex(file.bytes())}};
}

Expected<void> fill(const fs::path& folder, const ParameterLayout& layout, const TrainingState& state) {
  std::vector<TensorToWrite> weights;
  std::vector<TensorToWrite> moments;
  for (const Parameter& p : layout.parameters) {
    weights.push_back({p.name, DType::f32, p.shape, bytes_of(state.weights, p), {}});
    moments.push_back({"first." + p.name, DType::f32, p.shape, bytes_of(state.first_moment, p), {}});
    moments.push_back({"second." + p.name, DType::f32, p.shape, bytes_of(state.second_moment, p), {}});
  }
  NATSCOPE_CHECK(write_safetensors(folder / file_names[0], weights, {}));
  NATSCOPE_CHECK(write_safetensors(folder / file_names[1], moments, {}));
  NATSCOPE_CHECK(
      write_file_atomically(folder / file_names[2], json{{"version", 1}, {"step", state.step}}.dump(2) + "\n"));
  json files = json::array();
  for (const char* name : file_names) {
    NATSCOPE_TRY(json entry, manifest_entry(folder / name));
    files.push_back(std::move(entry));
  }
  return write_file_atomically(folder / manifest_name, json{{"version", 1}, {"files", files}}.dump(2) + "\n");
}

Expected<void> verify(const fs::path& checkpoint) {
  const auto broken = [&](const std::string& what) {
    return fail(ErrorCode::bad_checkpoint, printable(checkpoint.string()) + ": " + what,
                "remove this folder to go back to the checkpoint before it");
  };
  auto manifest = read_json_file((checkpoint / manifest_name).string());
  if (!manifest) return broken("no readable manifest.json");
  const auto files = manifest->find("files");
  if (files == manifest->end() || !files->is_array()) return broken("manifest.json lists no files");
  for (const char* name : file_names) {
    auto real = manifest_entry(checkpoint / name);
    if (!real) return broken(std::string(name) + " cannot be read");
    if (std::find(files->begin(), files->end(), *real) == files->end()) {
      return broken(std::string(name) + " differs from its entry in manifest.json");
    }
  }
  return {};
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

/// Keeps the newest `keep` that are whole; `written` is known to be. A broken one is worth nothing, and must not count
/// as one of those that are kept.
void remove_old_checkpoints(const fs::path& folder, const fs::path& written, int keep) {
  int valid = 0;
  for (const auto& entry : jobs::list_checkpoints(folder)) {
    const bool kept = valid < keep && (entry.folder == written || verify(entry.folder));
    if (kept) {
      ++valid;
    } else {
      remove_checkpoint(entry.folder);
    }
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

bool is_only_a_checkpoint(const fs::path& folder) {
  std::error_code problem;
  if (fs::symlink_status(folder, problem).type() != fs::file_type::directory) return false;
  fs::directory_iterator entry(folder, problem);
  for (; !problem && entry != fs::directory_iterator(); entry.increment(problem)) {
    const bool is_file = entry->symlink_status(problem).type() == fs::file_type::regular;
    if (!is_file || !is_of_a_checkpoint(entry->path().filename().string())) return false;
  }
  return !problem;
}

Expected<void> write_checkpoint(const fs::path& folder, const ParameterLayout& layout, const TrainingState& state,
                                int keep) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem) return fail(ErrorCode::io_failure, printable(folder.string()) + ": " + problem.message());
  const fs::path target = folder / jobs::checkpoint_name(state.step);
  if (fs::exists(target, problem)) {
    if (verify(target)) return {};
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
  remove_old_checkpoints(folder, target, keep);
  return {};
}

std::optional<fs::path> newest_valid_checkpoint(const fs::path& folder) {
  for (const auto& entry : jobs::list_checkpoints(folder)) {
    if (verify(entry.folder)) return entry.folder;
  }
  return std::nullopt;
}

Expected<TrainingState> read_checkpoint(const fs::path& checkpoint, const ParameterLayout& layout) {
  NATSCOPE_CHECK(verify(checkpoint));
  TrainingState state;
  NATSCOPE_TRY(const json stored, read_json_file((checkpoint / file_names[2]).string()));
  const auto step = stored.find("step");
  if (step == stored.end() || !step->is_number_integer() || *step < 0) {
    return fail(ErrorCode::bad_checkpoint, printable(checkpoint.string()) + ": state.json has no step");
  }
  state.step = step->get<std::int64_t>();
  NATSCOPE_TRY(const SafetensorsFile weights, SafetensorsFile::open(checkpoint / file_names[0]));
  NATSCOPE_TRY(state.weights, read_array(weights, layout, ""));
  NATSCOPE_TRY(const SafetensorsFile moments, SafetensorsFile::open(checkpoint / file_names[1]));
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
