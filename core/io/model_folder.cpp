// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/model_folder.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/sha256.h"
#include "core/base/small_file.h"
#include "core/io/adapter.h"
#include "core/io/generation_config.h"
#include "core/io/weight_binding.h"
#include "core/io/weight_files.h"
#include "core/json/json_limits.h"
#include "core/tokenizer/tokenizer_config.h"

namespace natscope {

namespace fs = std::filesystem;

struct ModelFolder::State {
  fs::path path;
  std::optional<fs::path> adapter_path;
  ModelConfig config;
  WeightFiles files;
  std::optional<Adapter> adapter;
  std::optional<AdapterConfig> adapter_config;
  BoundWeights bound;
  std::optional<Tokenizer> tokenizer;  ///< always set once opened
  TokenizerConfig tokenizer_config;
  GenerationDefaults defaults;
  std::vector<std::int32_t> eos;
  std::vector<fs::path> weight_paths;

  mutable std::once_flag hashed;
  mutable std::string sha256;

  template <class Visit>
  void for_each_file(const Visit& visit) const {
    for (const SafetensorsFile& file : files.files()) visit(file);
    if (!adapter) return;
    for (const SafetensorsFile& file : adapter->weights.files()) visit(file);
  }
};

namespace {

Expected<void> check_folder(const fs::path& path, bool is_adapter = false) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (status.type() == fs::file_type::not_found) {
    return fail(ErrorCode::file_not_found,
                std::string("there is no ") + (is_adapter ? "adapter" : "model") + " folder " + path.string());
  }
  if (failed) return fail(ErrorCode::io_failure, "cannot open " + path.string() + ": " + failed.message());
  if (status.type() != fs::file_type::directory) {
    return fail(
        ErrorCode::not_a_folder, path.string() + " is no folder",
        is_adapter ? "give the folder that holds adapter_config.json" : "give the folder that holds config.json");
  }
  return {};
}

Expected<ModelConfig> read_config(const fs::path& folder, int context) {
  const fs::path path = folder / "config.json";
  auto json = read_json_file(path);
  if (!json) {
    Error error = std::move(json).error();
    if (error.code == ErrorCode::file_not_found) {
      return fail(ErrorCode::bad_config, folder.string() + " holds no config.json",
                  "give a model folder in Hugging Face's layout");
    }
    if (error.code == ErrorCode::bad_json) return fail(ErrorCode::bad_config, error.message);
    return Unexpected(std::move(error));
  }
  return parse_model_config(*json, context);
}

Expected<Tokenizer> tokenizer_of(const fs::path& folder, int vocab) {
  NATSCOPE_TRY(Tokenizer tokenizer, read_tokenizer(folder));
  if (tokenizer.size() > vocab) {
    return fail(ErrorCode::bad_tokenizer,
                folder.string() + ": the tokenizer has " + std::to_string(tokenizer.size()) +
                    " pieces, more than the vocab_size " + std::to_string(vocab) + " of config.json",
                "use the tokenizer that belongs to this model");
  }
  return tokenizer;
}

/// Both files' end tokens, or the tokenizer's when they name none.
std::vector<std::int32_t> end_tokens(const ModelConfig& config, const GenerationConfig& generation,
                                     const Tokenizer& tokenizer) {
  std::vector<std::int32_t> ids = config.eos;
  ids.insert(ids.end(), generation.eos.begin(), generation.eos.end());
  if (ids.empty() && tokenizer.eos_id()) ids.push_back(*tokenizer.eos_id());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

struct Paths {
  fs::path base;
  std::optional<fs::path> adapter;
};

/// A folder that is an adapter itself stands for its base with it.
Expected<Paths> resolve(const fs::path& path, const std::optional<fs::path>& adapter) {
  NATSCOPE_CHECK(check_folder(path));
  if (adapter) {
    NATSCOPE_CHECK(check_folder(*adapter, true));
    return Paths{path, adapter};
  }
  if (path_exists(path / "config.json") || !path_exists(path / "adapter_config.json")) return Paths{path, {}};
  NATSCOPE_TRY(const AdapterConfig config, read_adapter_config(path));
  const fs::path base = config.base_model.empty() ? fs::path() : path / config.base_model;
  std::error_code failed;
  if (config.base_model.empty() || !fs::is_directory(base, failed)) {
    return fail(
        ErrorCode::bad_adapter,
        path.string() + " is an adapter whose base_model " + printable(config.base_model) + " is no folder here",
        "give the base with --model and this folder with --adapter");
  }
  return Paths{base, path};
}

}  // namespace

Expected<Tokenizer> read_tokenizer(const fs::path& folder) {
  fs::path path = folder / "tokenizer.model";
  if (!path_exists(path)) path = folder / "tokenizer.json";
  if (!path_exists(path)) {
    for (const char* const other : {"vocab.json", "vocab.txt", "tekken.json"}) {
      if (path_exists(folder / other)) {
        return fail(ErrorCode::unsupported_tokenizer,
                    folder.string() + " has its tokenizer only as " + other + ", which is not read");
      }
    }
    return fail(ErrorCode::missing_tokenizer, folder.string() + " holds no tokenizer.model and no tokenizer.json");
  }
  auto loaded = Tokenizer::load(path);
  // A tokenizer.model that is not sentencepiece's may stand beside a tokenizer.json that says all.
  const fs::path json = folder / "tokenizer.json";
  if (!loaded && loaded.error().code == ErrorCode::unsupported_tokenizer && path != json && path_exists(json)) {
    path = json;
    loaded = Tokenizer::load(path);
  }
  return loaded;
}

Expected<ModelFolder> ModelFolder::open(const fs::path& path, const std::optional<fs::path>& adapter, int context) try {
  NATSCOPE_TRY(const Paths paths, resolve(path, adapter));
  auto state = std::make_shared<State>();
  state->path = paths.base;
  state->adapter_path = paths.adapter;
  NATSCOPE_TRY(state->config, read_config(paths.base, context));
  NATSCOPE_TRY(state->files, WeightFiles::open_folder(paths.base));
  if (paths.adapter) {
    NATSCOPE_TRY(state->adapter, open_adapter(*paths.adapter, state->config));
    state->adapter_config = state->adapter->config;
  }
  const Adapter* const with = state->adapter ? &*state->adapter : nullptr;
  NATSCOPE_CHECK(settle_score_layers(state->config, state->files, with));
  NATSCOPE_TRY(state->bound, bind_weights(state->config, state->files, with));
  NATSCOPE_TRY(state->tokenizer, tokenizer_of(paths.base, state->config.vocab));
  NATSCOPE_TRY(state->tokenizer_config, read_tokenizer_config(paths.base));
  NATSCOPE_TRY(const auto generation, read_generation_config(paths.base, state->config.vocab));
  state->defaults = generation.defaults;
  state->eos = end_tokens(state->config, generation, *state->tokenizer);
  state->for_each_file([&](const SafetensorsFile& file) { state->weight_paths.push_back(file.path()); });
  ModelFolder folder;
  folder.state_ = std::move(state);
  return folder;
} catch (const std::bad_alloc&) {
  return fail(ErrorCode::out_of_memory, "no memory to open " + path.string());
}

const ModelConfig& ModelFolder::config() const { return state_->config; }
const ModelWeights& ModelFolder::weights() const { return state_->bound.weights; }
const Tokenizer& ModelFolder::tokenizer() const { return *state_->tokenizer; }
const GenerationDefaults& ModelFolder::generation_defaults() const { return state_->defaults; }
const std::vector<std::int32_t>& ModelFolder::eos_ids() const { return state_->eos; }
const std::vector<fs::path>& ModelFolder::weight_files() const { return state_->weight_paths; }
const fs::path& ModelFolder::path() const { return state_->path; }
const std::optional<fs::path>& ModelFolder::adapter_path() const { return state_->adapter_path; }
const std::optional<AdapterConfig>& ModelFolder::adapter() const { return state_->adapter_config; }

std::optional<std::int32_t> ModelFolder::bos_id() const {
  const Tokenizer& tokenizer = *state_->tokenizer;
  if (tokenizer.decides_bos()) return tokenizer.bos_id();
  const TokenizerConfig& settings = state_->tokenizer_config;
  const bool adds_by_default = tokenizer.format() == "sentencepiece" || !settings.is_there;
  if (!settings.adds_bos.value_or(adds_by_default)) return {};
  return state_->config.bos ? state_->config.bos : tokenizer.bos_id();
}

Expected<TensorInfo> ModelFolder::tensor(std::string_view name) const {
  const TensorInfo* found =
      state_->adapter ? find_adapter_tensor(state_->adapter->weights, std::string(name)) : nullptr;
  if (found == nullptr) found = state_->files.find(name);
  if (found == nullptr) return fail(ErrorCode::missing_tensor, "tensor " + printable(name) + " is missing");
  return *found;
}

std::uint64_t ModelFolder::weight_bytes() const {
  return state_->files.tensor_bytes() + (state_->adapter ? state_->adapter->weights.tensor_bytes() : 0);
}

std::string ModelFolder::sha256() const {
  std::call_once(state_->hashed, [&] {
    Sha256 hash;
    state_->for_each_file([&](const SafetensorsFile& file) {
      // Piece by piece, each given back: whoever copied the weights would have them in memory twice.
      constexpr std::size_t piece_bytes = std::size_t{8} << 20;
      const std::span<const std::byte> bytes = file.file_bytes();
      for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
        const auto piece = bytes.subspan(at, std::min(piece_bytes, bytes.size() - at));
        hash.update(piece);
        file.release_pages(piece);
      }
    });
    state_->sha256 = hash.hex_digest();
  });
  return state_->sha256;
}

std::string ModelFolder::weight_dtype() const {
  std::map<DType, std::uint64_t> bytes;
  for (const SafetensorsFile& file : state_->files.files()) {
    for (const TensorInfo& tensor : file.tensors()) bytes[tensor.dtype] += tensor.data.size();
  }
  const auto most =
      std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  switch (most->first) {
    case DType::bf16:
      return "bfloat16";
    case DType::f16:
      return "float16";
    default:
      return "float32";
  }
}

}  // namespace natscope
